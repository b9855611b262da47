/** Stored jobs and events as the API shows them. */
import type { Job, JobEvent } from '../../schemas/jobs.ts'
import type { ErrorCode } from '../errors.ts'
import type { StoredEvent, StoredJob } from '../jobs/job-store.ts'
import { wireCode } from './error-response.ts'

export const toSeconds = (date: Date): number => Math.floor(date.getTime() / 1000)

export function toJob(job: StoredJob): Job {
  const { error } = job
  return {
    id: job.id,
    object: 'job',
    kind: job.kind,
    name: job.name,
    spec: job.spec,
    status: job.status,
    priority: job.priority,
    pipeline_id: job.pipelineId,
    after: job.after,
    progress: job.progress,
    result: job.result,
    error: error && { code: wireCode(error.code), message: error.message },
    attempts: job.attempts,
    created_at: toSeconds(job.createdAt),
    started_at: job.startedAt && toSeconds(job.startedAt),
    finished_at: job.finishedAt && toSeconds(job.finishedAt),
  }
}

export function toJobEvent({ seq, type, data, createdAt }: StoredEvent): JobEvent {
  const shown = type === 'error' ? { ...data, code: wireCode(data.code as ErrorCode) } : data
  return { seq, type, data: shown, created_at: toSeconds(createdAt) }
}
