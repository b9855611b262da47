/** Errors of the file system as ours, wrapped once at the seam. */
import { SteerError } from '../errors.ts'

const fullCodes = new Set(['ENOSPC', 'EDQUOT'])

/** A full disk or quota, here or in a cause, is DISK_FULL; anything else is BAD_FILE. Ours stay as they are. */
export function storageError(error: unknown, what: string): SteerError {
  if (isDiskFull(error)) return new SteerError('DISK_FULL', what, { cause: error })
  if (error instanceof SteerError) return error
  return new SteerError('BAD_FILE', `${what}: ${messageOf(error)}`, { cause: error })
}

export function isDiskFull(error: unknown): boolean {
  for (let inner = error; inner instanceof Error; inner = inner.cause) {
    if (fullCodes.has((inner as NodeJS.ErrnoException).code ?? '')) return true
  }
  return false
}

/** The system's code, such as `ENOENT`; undefined for other errors. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
