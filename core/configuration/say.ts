/** An error text is `what is wrong; what to do`. */
export const say = (message: string, fix: string) => ({ error: `${message}; ${fix}` });
