/** Jobs that take no more than a moment and no model: done in the worker's own process. */
import { SteerError } from '../errors.ts'
import { isDiskFull } from '../util/storage-error.ts'
import type { Attempt, JobEnd, JobHandler } from './job-handler.ts'

/** `work` must give the same result when it is called again for the same job. */
export function createDirectHandler(work: (attempt: Attempt) => Promise<unknown>): JobHandler {
  const run = async (attempt: Attempt): Promise<JobEnd> => {
    try {
      return { type: 'succeeded', result: await work(attempt) }
    } catch (error) {
      return { type: 'failed', error: toFailure(error) }
    }
  }
  return {
    start: (attempt) => ({
      ended: run(attempt),
      stop() {},
      kill() {},
      setBusy() {},
    }),
    async forget() {},
  }
}

/** What a job's owner is told of an error: they run the server's commands, so nothing is hidden but the stack. */
export function toFailure(error: unknown): Extract<JobEnd, { type: 'failed' }>['error'] {
  if (error instanceof SteerError) return { code: error.code, message: error.message }
  const message = error instanceof Error ? error.message : String(error)
  return { code: isDiskFull(error) ? 'DISK_FULL' : 'INTERNAL', message }
}
