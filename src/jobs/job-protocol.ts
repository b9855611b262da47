/** Messages between a worker and a job process. */
import type { JobProgress } from '../../schemas/jobs.ts'
import type { Device } from '../../schemas/device.ts'
import type { Attempt, JobFailure } from './job-handler.ts'

export interface JobSettings {
  /** The data folder. */
  readonly home: string
  /** The folder below which `import` may read. */
  readonly importDir: string
  /** CPU threads of the job; 0: all cores. */
  readonly threads: number
  /** Where models run; absent: the best there is. */
  readonly device?: Device
  /** The share of the time that the job works while replies are written, above 0, at most 1. */
  readonly busyShare: number
  /** Largest resident memory of the process; it ends with JOB_MEMORY above that. */
  readonly memoryBytes: number
}

export type ToJob =
  | { readonly type: 'run'; readonly attempt: Attempt; readonly settings: JobSettings }
  /** Replies are being written by the server. */
  | { readonly type: 'busy'; readonly busy: boolean }

export type FromJob =
  /** The process listens; `run` may be sent. */
  | { readonly type: 'hello' }
  | { readonly type: 'progress'; readonly progress: JobProgress }
  | { readonly type: 'metrics'; readonly row: Readonly<Record<string, unknown>> }
  | { readonly type: 'checkpoint'; readonly done: number }
  | { readonly type: 'log'; readonly line: string }
  | { readonly type: 'succeeded'; readonly result: unknown }
  | { readonly type: 'stopped' }
  | { readonly type: 'failed'; readonly error: JobFailure }
