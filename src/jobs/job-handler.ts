/**
 * What a worker needs of the thing that does a job: start an attempt, hear of it, stop it. The worker knows no
 * training; `process-handler.ts` runs a job in a child process, tests use fakes.
 */
import type { JobProgress, JobTask } from '../../schemas/jobs.ts'
import type { ErrorCode } from '../errors.ts'

export type Attempt = JobTask & {
  readonly id: string
  /** 1 for the first; an attempt after the first goes on where the earlier ones were saved. */
  readonly number: number
}

/** What a running attempt tells. */
export interface JobSink {
  progress(progress: JobProgress): void
  metrics(row: Readonly<Record<string, unknown>>): void
  log(line: string): void
  /** The work so far survives a kill. */
  checkpoint(done: number): void
}

export interface JobFailure {
  readonly code: ErrorCode
  readonly message: string
}

export type JobEnd =
  | { readonly type: 'succeeded'; readonly result: unknown }
  /** Ended because `stop` asked for it; what was done is saved as far as it can be. */
  | { readonly type: 'stopped' }
  /** The job itself said why it cannot succeed; another attempt would end the same. */
  | { readonly type: 'failed'; readonly error: JobFailure }
  /** The process died without a word; another attempt may succeed. */
  | { readonly type: 'crashed'; readonly detail: string }

export interface RunningJob {
  /** Never rejects. */
  readonly ended: Promise<JobEnd>
  /** Saves and ends; killed where that takes longer than the handler's grace period. */
  stop(): void
  /** Ends it at once, as it is. */
  kill(): void
  /** While true, the job leaves most of the time to others. */
  setBusy(busy: boolean): void
}

export interface JobHandler {
  start(attempt: Attempt, sink: JobSink): RunningJob
  /** Removes what attempts keep between them, once the job is over for good. */
  forget(attempt: Attempt): Promise<void>
}
