export { type AccessDecision, isRequestId, stateAt } from './access-request.ts';
export { approvalBy, type GrantHolder } from './approval.ts';
export { grantWish, mayDecide, mayRevoke, waitsForSomebody } from './policy-questions.ts';
export {
  breakGlass,
  decideRequest,
  expireRequests,
  goodGrants,
  listRequests,
  openRequest,
  type RequestDesk,
  type RequestOutcome,
  type Wish,
  waitingOf,
} from './request-desk.ts';
export {
  breakGlassNotice,
  reasonText,
  requestNotice,
  whoAndWhere,
} from './request-text.ts';
