/**
 * The one error catalogue: a typed code gives the HTTP status, OpenAI's error `type`, and a title.
 * Every layer throws through `fail`; nothing here imports anything, so every layer may import it.
 * `docs/errors.md` lists the same codes; `test/errors.test.ts` compares the two.
 */

export const catalogue = {
  BAD_REQUEST: [400, 'invalid_request_error', 'The request is not valid'],
  INVALID_JSON: [400, 'invalid_request_error', 'The body is not JSON'],
  ATTRIBUTE_UNKNOWN: [400, 'invalid_request_error', 'The model has no such attribute'],
  ATTRIBUTE_OUT_OF_RANGE: [400, 'invalid_request_error', 'The attribute value is out of range'],
  CONTEXT_TOO_LONG: [400, 'invalid_request_error', 'The prompt does not fit the context'],
  MODEL_NOT_FOUND: [404, 'invalid_request_error', 'No such model'],
  MODEL_NOT_GENERATIVE: [400, 'invalid_request_error', 'The model does not generate text'],
  MODEL_NOT_PREDICTIVE: [400, 'invalid_request_error', 'The model does not predict attributes'],
  NOT_FOUND: [404, 'invalid_request_error', 'No such resource'],
  METHOD_NOT_ALLOWED: [405, 'invalid_request_error', 'The route does not take this method'],
  BODY_TOO_LARGE: [413, 'invalid_request_error', 'The body is too large'],
  UNSUPPORTED_MEDIA_TYPE: [415, 'invalid_request_error', 'The content type is not supported'],
  UNAUTHENTICATED: [401, 'authentication_error', 'A valid API key is needed'],
  FORBIDDEN: [403, 'permission_error', 'The request is not allowed'],
  RATE_LIMITED: [429, 'rate_limit_error', 'The limit of this key is reached'],
  QUEUE_FULL: [429, 'rate_limit_error', 'Too many requests wait for this model'],
  BAD_ARGUMENT: [400, 'invalid_request_error', 'A command line argument is not valid'],
  BAD_FILE: [400, 'invalid_request_error', 'A file is not valid'],
  BAD_CHECKPOINT: [400, 'invalid_request_error', 'A checkpoint is not valid'],
  BAD_TOKENIZER: [400, 'invalid_request_error', 'A tokenizer file is not valid'],
  BAD_TEMPLATE: [400, 'invalid_request_error', 'A chat template is not valid'],
  BAD_RECORD: [400, 'invalid_request_error', 'A data row is not valid'],
  ROW_TOO_LONG: [400, 'invalid_request_error', 'A training row is longer than the context'],
  ARCHITECTURE_UNSUPPORTED: [400, 'invalid_request_error', 'The architecture is not supported'],
  HUB_FORBIDDEN: [403, 'permission_error', 'The model hub refuses'],
  HUB_UNAVAILABLE: [503, 'server_error', 'The model hub cannot be used'],
  DATASET_NOT_FOUND: [404, 'invalid_request_error', 'No such data set'],
  FILE_NOT_FOUND: [404, 'invalid_request_error', 'No such file'],
  ALREADY_EXISTS: [409, 'invalid_request_error', 'The name is taken'],
  NPC_NOT_FOUND: [404, 'invalid_request_error', 'No such character'],
  NPC_RULE_INVALID: [400, 'invalid_request_error', 'A rule of the character is not valid'],
  NPC_EVENT_UNKNOWN: [400, 'invalid_request_error', 'The character knows no such event'],
  NPC_LIMIT_REACHED: [429, 'rate_limit_error', 'There are as many characters as may be'],
  NPC_CHANGED: [409, 'invalid_request_error', 'Somebody else changed the character meanwhile'],
  DATABASE_LOCKED: [409, 'invalid_request_error', 'Another process has the database open'],
  DATABASE_UNAVAILABLE: [503, 'server_error', 'The database cannot be used'],
  DISK_FULL: [507, 'server_error', 'The disk of the server is full'],
  IN_USE: [409, 'invalid_request_error', 'The resource is in use'],
  LOSS_NOT_FINITE: [500, 'server_error', 'The training loss is not a number'],
  DEVICE_UNAVAILABLE: [400, 'invalid_request_error', 'The device cannot be had'],
  RUNTIME_UNAVAILABLE: [500, 'server_error', 'ONNX Runtime cannot be loaded here'],
  RUNTIME_ERROR: [500, 'server_error', 'ONNX Runtime reported an error'],
  ENGINE_CRASHED: [503, 'server_error', 'The engine process stopped and is being restarted'],
  ENGINE_STARTING: [503, 'server_error', 'The model is being loaded'],
  JOB_NOT_FOUND: [404, 'invalid_request_error', 'No such job'],
  JOB_STATE: [409, 'invalid_request_error', 'The state of the job does not allow that'],
  JOB_DEPENDENCY: [409, 'invalid_request_error', 'A job that this one depends on did not succeed'],
  JOB_MEMORY: [500, 'server_error', 'The job needs more memory than it may use'],
  JOB_CRASHED: [500, 'server_error', 'The process of the job ended again and again'],
  CANCELLED: [499, 'server_error', 'The request was cancelled'],
  INTERNAL: [500, 'server_error', 'Something went wrong here'],
} as const satisfies Record<string, readonly [status: number, type: string, title: string]>

export type ErrorCode = keyof typeof catalogue

interface FailOptions {
  cause?: unknown
  param?: string | null
  retryAfterSeconds?: number
}

/** An error with a catalogue code. `detail` says what was expected, what came, and where. */
export class SteerError extends Error {
  override readonly name = 'SteerError'
  readonly code: ErrorCode
  readonly detail: string
  /** The request field or command line flag at fault, as OpenAI's `param`. */
  readonly param: string | null
  /** When it is worth trying again, where that is known. */
  readonly retryAfterSeconds: number | null

  constructor(code: ErrorCode, detail: string, options: FailOptions = {}) {
    super(`${catalogue[code][2]}: ${detail}`, { cause: options.cause })
    this.code = code
    this.detail = detail
    this.param = options.param ?? null
    this.retryAfterSeconds = options.retryAfterSeconds ?? null
  }

  get status(): number {
    return catalogue[this.code][0]
  }

  get type(): string {
    return catalogue[this.code][1]
  }
}

/** Throws a `SteerError`. The return type lets callers write `x ?? fail(…)`. */
export function fail(code: ErrorCode, detail: string, options: FailOptions = {}): never {
  throw new SteerError(code, detail, options)
}
