/**
 * Collects what a running attempt tells and stores it in batches, in order: a tiny training makes a thousand steps a
 * second. Steps that an earlier attempt stored already, before it was killed, are left out.
 */
import type { JobProgress } from '../../schemas/jobs.ts'
import type { JobSink } from './job-handler.ts'
import type { Held, JobStore, NewEvent } from './job-store.ts'

/** Progress and checkpoints come as events at most this often. */
const eventEveryMs = 1_000
/** Lines that wait for the database; more are dropped, with a note. */
const maxWaitingLines = 10_000

export interface JobRecorder {
  readonly sink: JobSink
  /** Stores what has come since. False: the attempt is not this worker's any more. Rejects when the database fails. */
  flush(): Promise<boolean>
}

export async function createJobRecorder(store: JobStore, held: Held): Promise<JobRecorder> {
  const last = held.attempts > 1 ? await store.lastSteps(held.id) : { loss: 0, validation: 0 }
  let events: NewEvent[] = []
  let progress: JobProgress | null = null
  let checkpoint: number | null = null
  let [progressAtMs, checkpointAtMs] = [-Infinity, -Infinity]
  let flushing: Promise<boolean> = Promise.resolve(true)

  const add = (type: NewEvent['type'], data: Record<string, unknown>): void => {
    if (events.length < maxWaitingLines) events.push({ type, data, at: new Date() })
  }
  const sink: JobSink = {
    progress(given) {
      progress = given
      const nowMs = performance.now()
      if (nowMs - progressAtMs < eventEveryMs && given.done < given.total) return
      progressAtMs = nowMs
      add('progress', { ...given })
    },
    metrics(row) {
      const step = Number(row.step)
      const series = 'validation_loss' in row ? 'validation' : 'loss'
      if (step <= last[series]) return
      last[series] = step
      add('metrics', { ...row })
    },
    log: (line) => add('log', { message: line }),
    checkpoint: (done) => void (checkpoint = done),
  }
  const addCheckpoint = (): void => {
    if (checkpoint === null || performance.now() - checkpointAtMs < eventEveryMs) return
    checkpointAtMs = performance.now()
    add('log', { message: `saved up to ${checkpoint}`, checkpoint })
    checkpoint = null
  }
  const write = async (): Promise<boolean> => {
    addCheckpoint()
    if (events.length === 0 && progress === null) return true
    const [batch, state] = [events, progress]
    events = []
    progress = null
    try {
      return await store.record(held, batch, state)
    } catch (error) {
      events = [...batch, ...events]
      progress ??= state
      throw error
    }
  }
  return {
    sink,
    flush: () => (flushing = flushing.catch(() => true).then(write)),
  }
}
