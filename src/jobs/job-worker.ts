/**
 * Takes jobs from the queue and runs them through their handlers, so many at a time. Owns the life of an attempt:
 * heartbeat, events, cancel, what its end means. Several workers may share a database; a worker that dies loses its
 * jobs to the next one after `staleMs`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { JobKind } from '../../schemas/jobs.ts'
import type { Attempt, JobEnd, JobHandler, RunningJob } from './job-handler.ts'
import { createJobRecorder, type JobRecorder } from './job-recorder.ts'
import type { JobStore, StoredJob } from './job-store.ts'

export interface JobWorkerOptions {
  readonly store: JobStore
  readonly handler: (kind: JobKind) => JobHandler
  /** Jobs that run at the same time. */
  readonly concurrency: number
  readonly log: (event: object) => void
  readonly heartbeatMs?: number
  /** A job whose worker was silent for so long is taken from it. */
  readonly staleMs?: number
  /** How often the queue is looked at for jobs that other processes put in. */
  readonly pollMs?: number
  readonly flushMs?: number
}

/** A job that this worker works on. */
interface Work {
  readonly job: StoredJob
  readonly running: RunningJob
  readonly recorder: JobRecorder
  readonly done: Promise<void>
  cancelled: boolean
  /** The attempt is over; only its end is still to be stored. */
  ended: boolean
}

export class JobWorker {
  readonly #options: Required<JobWorkerOptions>
  readonly #works = new Map<string, Work>()
  readonly #timers: NodeJS.Timeout[] = []
  #unlisten: (() => void)[] = []
  #claiming: Promise<void> | undefined
  #again = false
  #stopping = false
  #busy = false

  constructor(options: JobWorkerOptions) {
    this.#options = {
      heartbeatMs: 3_000,
      staleMs: 15_000,
      pollMs: 1_000,
      flushMs: 250,
      ...options,
    }
  }

  /** Takes up what a killed worker left; nobody else can be alive over a database of our own. */
  async start(): Promise<void> {
    const { store, heartbeatMs, staleMs, pollMs, flushMs } = this.#options
    await store.sweep(store.isExclusive ? 0 : staleMs)
    this.#unlisten = [store.onQueued(() => this.#look()), store.onCancel((id) => this.#cancel(id))]
    this.#every(pollMs, async () => this.#look())
    this.#every(heartbeatMs, () => this.#heartbeats())
    this.#every(heartbeatMs, () => store.sweep(staleMs))
    this.#every(flushMs, () => this.#flushes())
    this.#look()
  }

  /** While true, running jobs leave most of the time to whoever is busy. */
  setBusy(busy: boolean): void {
    this.#busy = busy
    for (const { running } of this.#works.values()) running.setBusy(busy)
  }

  /** Lets running jobs save what they have and puts them back into the queue. */
  async stop(): Promise<void> {
    this.#stopping = true
    for (const timer of this.#timers) clearInterval(timer)
    for (const unlisten of this.#unlisten) unlisten()
    await this.#claiming
    const works = [...this.#works.values()]
    for (const { running } of works) running.stop()
    const beat = setInterval(() => void this.#heartbeats().catch(() => {}), this.#options.heartbeatMs) // prettier-ignore
    await Promise.all(works.map(({ done }) => done))
    clearInterval(beat)
  }

  /** Calls `work` again and again, never two at once; what goes wrong is logged. */
  #every(ms: number, work: () => Promise<void>): void {
    let isRunning = false
    const timer = setInterval(() => {
      if (isRunning) return
      isRunning = true
      work()
        .catch((error: Error) => this.#log('job_worker_error', { message: error.message }))
        .finally(() => (isRunning = false))
    }, ms)
    this.#timers.push(timer)
  }

  /** Takes jobs until all places are full or nothing waits. */
  #look(): void {
    this.#again = true
    this.#claiming ??= this.#claimAll()
      .catch((error: Error) => this.#log('job_worker_error', { message: error.message }))
      .finally(() => (this.#claiming = undefined))
  }

  async #claimAll(): Promise<void> {
    while (this.#again && !this.#stopping) {
      this.#again = false
      while (this.#works.size < this.#options.concurrency && !this.#stopping) {
        const job = await this.#options.store.claim()
        if (!job) break
        await this.#begin(job)
      }
    }
  }

  async #begin(job: StoredJob): Promise<void> {
    const { store, handler } = this.#options
    const recorder = await createJobRecorder(store, job)
    const running = handler(job.kind).start(attemptOf(job), recorder.sink)
    running.setBusy(this.#busy)
    const done = this.#finish(job.id).catch((error: Error) =>
      this.#log('job_worker_error', { job: job.id, message: error.message }),
    )
    this.#works.set(job.id, { job, running, recorder, done, cancelled: false, ended: false })
    // Asked for between the claim and now.
    if (job.cancelRequested) this.#cancel(job.id)
  }

  /** Waits for the end of an attempt and stores what it means, however long the database takes. */
  async #finish(id: string): Promise<void> {
    await Promise.resolve() // `#begin` adds the work first
    const work = this.#works.get(id)!
    const end = await work.running.ended
    work.ended = true
    for (let pauseMs = 250; ; pauseMs = Math.min(5_000, pauseMs * 2)) {
      try {
        await work.recorder.flush()
        await this.#store(work, end)
        break
      } catch (error) {
        this.#log('job_not_stored', { job: id, message: (error as Error).message })
        // A worker that stops leaves the job to the next one; the result lies beside it.
        if (this.#stopping && pauseMs > 2_000) break
        await sleep(pauseMs)
      }
    }
    this.#works.delete(id)
    this.#look()
  }

  async #store({ job, cancelled }: Work, end: JobEnd): Promise<void> {
    const { store, handler } = this.#options
    if (end.type === 'succeeded') {
      const isStored = await store.settle(job, { status: 'succeeded', result: end.result })
      if (isStored) await handler(job.kind).forget(attemptOf(job))
    } else if (end.type === 'failed') {
      await store.settle(job, { status: 'failed', error: end.error })
    } else if (cancelled) {
      await store.settle(job, { status: 'cancelled' })
    } else if (end.type === 'stopped') {
      await store.requeue(job, 'worker stopped')
    } else {
      await this.#storeCrash(job, end.detail)
    }
  }

  async #storeCrash(job: StoredJob, detail: string): Promise<void> {
    const { store } = this.#options
    const crashes = 1 + (await store.crashesWithoutProgress(job.id))
    if (crashes < job.maxAttempts) {
      // The first time at once; then with growing pauses, for what kills it may pass.
      const delaySeconds = crashes > 1 ? Math.min(30, 2 ** (crashes - 2)) : undefined
      await store.requeue(job, 'crashed', { detail, delaySeconds })
      return
    }
    const message = `${crashes} times without getting on; the last time: ${detail}`
    await store.settle(job, { status: 'failed', error: { code: 'JOB_CRASHED', message } })
  }

  #cancel(id: string): void {
    const work = this.#works.get(id)
    if (!work || work.cancelled) return
    work.cancelled = true
    work.running.stop()
  }

  async #heartbeats(): Promise<void> {
    for (const { job, ended } of this.#works.values()) {
      if (ended) continue
      const answer = await this.#options.store.heartbeat(job)
      if (answer === 'cancel') this.#cancel(job.id)
      else if (answer === 'lost') this.#lose(job.id)
    }
  }

  async #flushes(): Promise<void> {
    for (const { job, recorder } of this.#works.values()) {
      if (!(await recorder.flush())) this.#lose(job.id)
    }
  }

  /** Another worker has taken the job over, or it was deleted: two must not work on it. */
  #lose(id: string): void {
    const work = this.#works.get(id)
    if (!work || work.ended) return
    this.#log('job_lost', { job: id })
    work.running.kill()
  }

  #log(event: string, more: object): void {
    this.#options.log({ event, ...more })
  }
}

export const attemptOf = (job: StoredJob): Attempt => {
  const { id, attempts, kind, spec } = job
  return { id, number: attempts, kind, spec } as Attempt
}
