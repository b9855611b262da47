/** Jobs on the WebSocket: `watch_job` follows one, `unwatch_job` lets go. */
import type { ClientMessage, ServerMessage } from '../../schemas/stream.ts'
import { fail } from '../errors.ts'
import type { JobService } from '../services/job-service.ts'
import { toJob, toJobEvent } from './job-serializer.ts'

/** Jobs that one socket may follow. */
const maxWatches = 32

type JobMessage = Extract<ClientMessage, { type: 'watch_job' | 'unwatch_job' }>

export interface JobSocket {
  /** Resolves when the job is over or let go. Rejects with what to tell the client. */
  receive(message: JobMessage): Promise<void>
  close(): void
}

/** `admit` says whether the client may follow jobs. */
export function createJobSocket(
  jobs: JobService,
  admit: () => Promise<void>,
  send: (message: ServerMessage) => void,
): JobSocket {
  const watches = new Map<string, AbortController>()
  const watch = async (message: Extract<JobMessage, { type: 'watch_job' }>): Promise<void> => {
    const { id, job, after } = message
    if (watches.has(id)) fail('BAD_REQUEST', `id: "${id}" watches a job already`, { param: 'id' })
    if (watches.size >= maxWatches) fail('QUEUE_FULL', `${maxWatches} jobs on this socket`)
    const abort = new AbortController()
    watches.set(id, abort)
    try {
      await admit()
      for await (const event of jobs.watch(job, after ?? 0, abort.signal)) {
        if (abort.signal.aborted) return
        send({ type: 'job_event', id, job, event: toJobEvent(event) })
      }
      if (!abort.signal.aborted) send({ type: 'job_done', id, job: toJob(await jobs.get(job)) })
    } finally {
      watches.delete(id)
    }
  }
  return {
    async receive(message) {
      if (message.type === 'watch_job') return watch(message)
      const abort = watches.get(message.id)
      if (!abort) fail('NOT_FOUND', `"${message.id}" watches no job`, { param: 'id' })
      abort.abort()
    },
    close() {
      for (const abort of watches.values()) abort.abort()
    },
  }
}
