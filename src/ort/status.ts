/** Turns an OrtStatus into a SteerError: reads code and message, releases it, throws. */
import { fail } from '../errors.ts'
import { loadRuntime, type Out, type Pointer } from './library.ts'

/** OrtErrorCode, in order. */
const codeNames = [
  'OK',
  'FAIL',
  'INVALID_ARGUMENT',
  'NO_SUCHFILE',
  'NO_MODEL',
  'ENGINE_ERROR',
  'RUNTIME_EXCEPTION',
  'INVALID_PROTOBUF',
  'MODEL_LOADED',
  'NOT_IMPLEMENTED',
  'INVALID_GRAPH',
  'EP_FAIL',
  'MODEL_LOAD_CANCELED',
  'MODEL_REQUIRES_COMPILATION',
  'NOT_FOUND',
]

/** Reads a status and releases it. Null (success) gives undefined. */
export function takeStatus(status: Pointer | null): { code: string; message: string } | undefined {
  if (status === null) return undefined
  const { api } = loadRuntime()
  const code = api.getErrorCode(status)
  const message = api.getErrorMessage(status)
  api.releaseStatus(status)
  return { code: codeNames[code] ?? String(code), message }
}

/** Fails with RUNTIME_ERROR when the status is an error; `doing` says what was tried. */
export function check(status: Pointer | null, doing: string): void {
  const error = takeStatus(status)
  if (error) fail('RUNTIME_ERROR', `${doing}: ${error.message} (${error.code})`)
}

/** Calls a function with one out parameter and gives what it wrote there. */
export function read<T>(doing: string, call: (out: Out<T>) => Pointer | null): T {
  const out: Out<T> = [null]
  check(call(out), doing)
  return out[0] ?? fail('RUNTIME_ERROR', `internal: ${doing}: ONNX Runtime gave nothing`)
}
