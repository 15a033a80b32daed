import { InvalidArgumentError } from 'commander';

export function positiveInteger(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('expected a whole number from 1');
  return Number(text);
}

/** `90`, `12:30` or `1:02:03` since the start, in seconds. */
export function secondsOption(text: string): number {
  const [, hours = '0', minutes = '0', seconds = '0'] =
    /^(?:(?:(\d{1,5}):)?(\d{1,5}):)?(\d{1,8}(?:\.\d{1,3})?)$/.exec(text) ?? [];
  if (!/^\d/.test(text) || !/^(?:\d+:){0,2}\d+(?:\.\d+)?$/.test(text))
    throw new InvalidArgumentError('expected seconds, minutes:seconds or hours:minutes:seconds');
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
}

/** `30m`, `8h`, `7d` in milliseconds. */
export function durationOption(text: string): number {
  const [, number = '', unit = ''] = /^([1-9]\d{0,5})([smhd])$/.exec(text) ?? [];
  if (number === '') throw new InvalidArgumentError('expected a number and s, m, h or d, such as 8h');
  return Number(number) * ({ s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit] ?? Number.NaN);
}

export function notNegative(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('expected a number from 0');
  return value;
}

export function wholeNumber(text: string): number {
  if (!/^(?:0|[1-9]\d{0,8})$/.test(text)) throw new InvalidArgumentError('expected a whole number from 0');
  return Number(text);
}
