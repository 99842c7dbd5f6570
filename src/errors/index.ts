// Errors as the rest of Holdfast imports them; pure, so that workflows may use them too.

export { catalogue, type ErrorCode, isErrorCode } from './catalogue.ts';
export {
  type ErrorData,
  type ErrorOptions,
  exitCodes,
  fail,
  fromErrorData,
  HoldfastError,
  isHoldfastError,
  toHoldfastError,
} from './error.ts';
