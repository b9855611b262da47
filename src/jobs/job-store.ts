/**
 * Jobs and their events in the database: every change of state is one transaction with its event and with what it means
 * for the jobs that depend on it. An attempt's number fences its writes: a worker that lost a job to another one
 * (it hung too long) changes nothing any more. Runs nothing itself; `job-worker.ts` does.
 */
import { EventEmitter, once } from 'node:events'
import { and, asc, desc, eq, gt, inArray, lt, or, sql, type SQL } from 'drizzle-orm'
import type { JobEventType, JobKind, JobProgress, JobStatus, JobTask } from '../../schemas/jobs.ts'
import { schema, type Database, type Db } from '../database/index.ts'
import { fail } from '../errors.ts'
import { outputsOf } from './job-files.ts'
import type { JobFailure } from './job-handler.ts'
import type { JobQueue } from './job-queue.ts'

const { jobs, jobEvents } = schema

interface News {
  /** Jobs with new events. */
  readonly touched: Set<string>
  /** A job may start. */
  queued: boolean
}

type Row = typeof jobs.$inferSelect
/** A row with the types that the code gives it; the database has text and JSON. */
export type StoredJob = Omit<Row, 'kind' | 'spec' | 'status' | 'progress' | 'error'> &
  JobTask & {
    readonly status: JobStatus
    readonly progress: JobProgress | null
    readonly error: JobFailure | null
  }

export interface StoredEvent {
  readonly seq: number
  readonly type: JobEventType
  readonly data: Record<string, unknown>
  readonly createdAt: Date
}

export type NewEvent = Pick<StoredEvent, 'type' | 'data'> & { readonly at?: Date }

export type NewJob = JobTask & {
  readonly id: string
  readonly name: string | null
  readonly priority: number
  readonly pipelineId: string | null
  /** Stored jobs or others of the same call. */
  readonly after: readonly string[]
  readonly maxAttempts: number
  readonly keyId: string | null
}

export interface JobsFilter {
  readonly status?: JobStatus
  readonly kind?: JobKind
  readonly pipelineId?: string
  readonly before?: string
  readonly limit: number
}

/** A job as one attempt holds it. */
export interface Held {
  readonly id: string
  readonly attempts: number
}

export const terminalStatuses = ['succeeded', 'failed', 'cancelled'] as const
export const isTerminal = (status: JobStatus): boolean =>
  (terminalStatuses as readonly JobStatus[]).includes(status)

/** Writers of new jobs and of retries take turns, so that two cannot take the same output name. */
const namesLock = 7_305_922
const now = sql`now()`

const stored = (row: Row): StoredJob => row as unknown as StoredJob

export class JobStore {
  readonly #database: Database
  readonly #queue: JobQueue
  readonly #changes = new EventEmitter().setMaxListeners(0)
  /** What to tell once a transaction is committed. */
  readonly #news = new WeakMap<Db, News>()

  constructor(database: Database, queue: JobQueue) {
    this.#database = database
    this.#queue = queue
  }

  /** Whether no other process can work on these jobs. */
  get isExclusive(): boolean {
    return this.#database.kind === 'pglite'
  }

  /** Calls when this process lets a job start; gives what stops that. Other processes are not heard. */
  onQueued(listener: () => void): () => void {
    this.#changes.on('queued', listener)
    return () => void this.#changes.off('queued', listener)
  }

  /** Calls with the id of a running job that this process wants cancelled; gives what stops that. */
  onCancel(listener: (id: string) => void): () => void {
    this.#changes.on('cancel', listener)
    return () => void this.#changes.off('cancel', listener)
  }

  /**
   * Stores jobs that belong together, all or none. `check` sees the active jobs first and may refuse; nobody else adds
   * jobs meanwhile. Fails JOB_NOT_FOUND on an unknown id in `after`.
   */
  async insert(
    added: readonly NewJob[],
    check: (active: readonly StoredJob[], parents: readonly StoredJob[]) => void | Promise<void>,
  ): Promise<StoredJob[]> {
    await this.#transaction(async (tx) => {
      await tx.execute(sql`select pg_advisory_xact_lock(${namesLock})`)
      const own = new Set(added.map(({ id }) => id))
      const parents = await this.#lockParents(tx, added, own)
      await check(await this.#active(tx), parents)
      for (const [i, job] of added.entries()) {
        const { name, after, spec, ...rest } = job
        // Jobs of one call keep their order in lists.
        const createdAt = sql`now() + ${i} * interval '1 millisecond'`
        const values = { ...rest, name, after: [...after], spec: { ...spec }, status: 'waiting', createdAt } // prettier-ignore
        await tx.insert(jobs).values(values)
        await this.#append(tx, job.id, [{ type: 'status', data: { status: 'waiting' } }])
      }
      for (const job of added) await this.#resolveWaiting(tx, job.id)
    })
    const found = await this.#select(inArray(jobs.id, added.map(({ id }) => id))) // prettier-ignore
    return added.map(({ id }) => found.find((job) => job.id === id)!)
  }

  /** Fails JOB_NOT_FOUND. */
  async get(id: string): Promise<StoredJob> {
    const [job] = await this.#select(eq(jobs.id, id))
    return job ?? unknownJob(id)
  }

  /** Newest first. */
  async list({ status, kind, pipelineId, before, limit }: JobsFilter): Promise<StoredJob[]> {
    const conditions: (SQL | undefined)[] = []
    if (status) conditions.push(eq(jobs.status, status))
    if (kind) conditions.push(eq(jobs.kind, kind))
    if (pipelineId) conditions.push(eq(jobs.pipelineId, pipelineId))
    if (before) {
      const { createdAt, id } = await this.get(before)
      const same = and(eq(jobs.createdAt, createdAt), lt(jobs.id, id))
      conditions.push(or(lt(jobs.createdAt, createdAt), same))
    }
    const rows = await this.#database.db
      .select()
      .from(jobs)
      .where(and(...conditions))
      .orderBy(desc(jobs.createdAt), desc(jobs.id))
      .limit(limit)
    return rows.map(stored)
  }

  /** Jobs that are not over. */
  active(): Promise<StoredJob[]> {
    return this.#active(this.#database.db)
  }

  /** In the order of creation. */
  inPipeline(pipelineId: string): Promise<StoredJob[]> {
    return this.#select(eq(jobs.pipelineId, pipelineId))
  }

  /** Jobs whose spec has this JSON inside, newest first. */
  async withSpec(inside: Readonly<object>, filter: JobsFilter): Promise<StoredJob[]> {
    const rows = await this.#database.db
      .select()
      .from(jobs)
      .where(
        and(
          sql`${jobs.spec} @> ${JSON.stringify(inside)}::jsonb`,
          filter.before ? lt(jobs.createdAt, (await this.get(filter.before)).createdAt) : undefined,
        ),
      )
      .orderBy(desc(jobs.createdAt), desc(jobs.id))
      .limit(filter.limit)
    return rows.map(stored)
  }

  /** Events after a seq, in order. */
  async events(id: string, after: number, limit: number): Promise<StoredEvent[]> {
    const rows = await this.#database.db
      .select()
      .from(jobEvents)
      .where(and(eq(jobEvents.jobId, id), gt(jobEvents.seq, after)))
      .orderBy(asc(jobEvents.seq))
      .limit(limit)
    return rows as unknown as StoredEvent[]
  }

  /** Newest first, those before a seq. */
  async lastEvents(id: string, limit: number, before?: number): Promise<StoredEvent[]> {
    const earlier = before === undefined ? undefined : lt(jobEvents.seq, before)
    const rows = await this.#database.db
      .select()
      .from(jobEvents)
      .where(and(eq(jobEvents.jobId, id), earlier))
      .orderBy(desc(jobEvents.seq))
      .limit(limit)
    return rows as unknown as StoredEvent[]
  }

  /** Of all steps of a training. */
  async trainedTokens(id: string): Promise<number> {
    const { rows } = await this.#database.db.execute<{ tokens: string | number }>(sql`
      select coalesce(sum((data->>'tokens')::bigint), 0) as tokens
      from ${jobEvents} where job_id = ${id} and type = 'metrics'`)
    return Number(rows[0]!.tokens)
  }

  /** Events after a seq, then those to come, to the end of the job. Fails JOB_NOT_FOUND. */
  async *watch(
    id: string,
    after: number,
    { signal, pollMs = 1_000 }: { signal?: AbortSignal; pollMs?: number } = {},
  ): AsyncGenerator<StoredEvent> {
    let seq = after
    for (;;) {
      if (signal?.aborted) return
      const changed = this.#nextChange(id, pollMs, signal)
      // Before the events: what ends a job is stored together with its last event.
      const { status } = await this.get(id)
      const events = await this.events(id, seq, 1_000)
      for (const event of events) {
        yield event
        seq = event.seq
      }
      if (events.length > 0) continue
      if (isTerminal(status)) return
      await changed
    }
  }

  /** Takes the next job and marks it running; null where nothing waits. */
  async claim(): Promise<StoredJob | null> {
    for (;;) {
      const taken = await this.#transaction(async (tx) => {
        const id = await this.#queue.take(tx)
        if (id === null) return null
        const [row] = await tx
          .update(jobs)
          .set({
            status: 'running',
            attempts: sql`${jobs.attempts} + 1`,
            startedAt: sql`coalesce(${jobs.startedAt}, now())`,
            heartbeatAt: now,
          })
          .where(and(eq(jobs.id, id), eq(jobs.status, 'queued')))
          .returning()
        // A message of a job that was cancelled, deleted or already taken.
        if (!row) return 'stale'
        const data = { status: 'running', attempt: row.attempts }
        await this.#append(tx, id, [{ type: 'status', data }])
        return stored(row)
      })
      if (taken !== 'stale') return taken
    }
  }

  /** Says that the attempt is alive. `lost`: it is not this worker's any more. */
  async heartbeat(held: Held): Promise<'ok' | 'cancel' | 'lost'> {
    const [row] = await this.#database.db
      .update(jobs)
      .set({ heartbeatAt: now })
      .where(holding(held))
      .returning({ cancelRequested: jobs.cancelRequested })
    if (!row) return 'lost'
    return row.cancelRequested ? 'cancel' : 'ok'
  }

  /** Adds events of a running attempt. False: it is not this worker's any more, and nothing was written. */
  async record(
    held: Held,
    events: readonly NewEvent[],
    progress: JobProgress | null,
  ): Promise<boolean> {
    return this.#transaction(async (tx) => {
      const set = { heartbeatAt: now, ...(progress && { progress: { ...progress } }) }
      const found = await tx.update(jobs).set(set).where(holding(held)).returning({ id: jobs.id })
      if (found.length === 0) return false
      await this.#append(tx, held.id, events)
      return true
    })
  }

  /** Ends a running attempt's job for good. False: it was not this worker's any more. */
  async settle(
    held: Held,
    end:
      | { status: 'succeeded'; result: unknown }
      | { status: 'failed'; error: JobFailure }
      | { status: 'cancelled' },
  ): Promise<boolean> {
    return this.#transaction(async (tx) => {
      const found = await tx
        .update(jobs)
        .set({ heartbeatAt: now })
        .where(holding(held))
        .returning({ id: jobs.id })
      if (found.length === 0) return false
      await this.#end(tx, held.id, end)
      return true
    })
  }

  /** Puts a running attempt's job back into the queue. False: it was not this worker's any more. */
  async requeue(
    held: Held,
    reason: 'crashed' | 'worker stopped' | 'worker lost',
    { detail, delaySeconds }: { detail?: string; delaySeconds?: number } = {},
  ): Promise<boolean> {
    return this.#transaction(async (tx) => {
      const [row] = await tx
        .update(jobs)
        .set({ status: 'queued', heartbeatAt: null })
        .where(holding(held))
        .returning({ priority: jobs.priority })
      if (!row) return false
      const data = { status: 'queued', reason, ...(detail !== undefined && { detail }) }
      await this.#append(tx, held.id, [{ type: 'status', data }])
      await this.#send(tx, held.id, { priority: row.priority, delaySeconds })
      return true
    })
  }

  /** Crashes since the job last saved something or was retried by hand: what its attempts are counted by. */
  async crashesWithoutProgress(id: string): Promise<number> {
    const { rows } = await this.#database.db.execute<{ crashes: number }>(sql`
      select count(*)::int as crashes from ${jobEvents}
      where job_id = ${id} and type = 'status' and data->>'reason' = 'crashed' and seq > coalesce((
        select max(seq) from ${jobEvents} where job_id = ${id}
          and (type = 'log' and data ? 'checkpoint' or type = 'status' and data->>'reason' = 'retry')
      ), 0)`)
    return rows[0]!.crashes
  }

  /** The last steps that metrics were stored of, so that repeated steps are not stored twice. */
  async lastSteps(id: string): Promise<{ loss: number; validation: number }> {
    const { rows } = await this.#database.db.execute<{ loss: number; validation: number }>(sql`
      select
        coalesce(max((data->>'step')::int) filter (where not data ? 'validation_loss'), 0) as loss,
        coalesce(max((data->>'step')::int) filter (where data ? 'validation_loss'), 0) as validation
      from ${jobEvents} where job_id = ${id} and type = 'metrics'`)
    return rows[0]!
  }

  /** Ends a job that has not begun; asks a running one to stop. Fails JOB_STATE when it is over. */
  async cancel(id: string): Promise<StoredJob> {
    const wasRunning = await this.#transaction(async (tx) => {
      const job = await this.#lock(tx, id)
      if (isTerminal(job.status)) fail('JOB_STATE', `"${id}" has ${job.status} already`)
      if (job.status !== 'running') {
        await this.#end(tx, id, { status: 'cancelled' })
        return false
      }
      await tx.update(jobs).set({ cancelRequested: true }).where(eq(jobs.id, id))
      return true
    })
    if (wasRunning) this.#changes.emit('cancel', id)
    return this.get(id)
  }

  /**
   * Lets a failed or cancelled job go on, and jobs that failed because of it wait for it again. `check` sees the active
   * jobs first. Fails JOB_STATE in another state.
   */
  async retry(
    id: string,
    check: (active: readonly StoredJob[], job: StoredJob) => void | Promise<void>,
  ): Promise<StoredJob> {
    await this.#transaction(async (tx) => {
      await tx.execute(sql`select pg_advisory_xact_lock(${namesLock})`)
      const job = await this.#lock(tx, id)
      if (job.status !== 'failed' && job.status !== 'cancelled')
        fail('JOB_STATE', `"${id}" is ${job.status}; only a failed or cancelled job is retried`)
      await check(await this.#active(tx), job)
      await this.#reopen(tx, id)
      await this.#resolveWaiting(tx, id)
    })
    return this.get(id)
  }

  /** Removes a job that is over, with its events. Fails JOB_STATE, also while another job waits for it. */
  async delete(id: string): Promise<StoredJob> {
    return this.#transaction(async (tx) => {
      const job = await this.#lock(tx, id)
      if (!isTerminal(job.status)) fail('JOB_STATE', `"${id}" is ${job.status}; cancel it first`)
      const [child] = await this.#children(tx, id)
      if (child) fail('JOB_STATE', `"${child.id}" waits for it`)
      await tx.delete(jobs).where(eq(jobs.id, id))
      return job
    })
  }

  /** Puts jobs of workers that are gone back into the queue, and makes up for what a crash left undone. */
  async sweep(staleMs: number): Promise<void> {
    const stale = await this.#database.db
      .select()
      .from(jobs)
      .where(
        and(
          eq(jobs.status, 'running'),
          sql`coalesce(${jobs.heartbeatAt}, ${jobs.createdAt}) < now() - ${staleMs} * interval '1 millisecond'`,
        ),
      )
    for (const job of stale) {
      if (job.cancelRequested) await this.settle(job, { status: 'cancelled' })
      else await this.requeue(job, 'worker lost')
    }
    const waiting = await this.#select(inArray(jobs.status, ['waiting', 'queued']))
    if (waiting.length === 0) return
    await this.#transaction(async (tx) => {
      for (const { id, status, priority } of waiting) {
        if (status === 'waiting') await this.#resolveWaiting(tx, id)
        // The message is there already, unless somebody emptied the queue's tables.
        else await this.#send(tx, id, { priority })
      }
    })
  }

  async #transaction<T>(work: (tx: Db) => Promise<T>): Promise<T> {
    const news: News = { touched: new Set(), queued: false }
    const result = await this.#database.transaction((tx) => {
      this.#news.set(tx, news)
      return work(tx)
    })
    for (const id of news.touched) this.#changes.emit(`job ${id}`)
    if (news.queued) this.#changes.emit('queued')
    return result
  }

  async #send(tx: Db, id: string, options: Parameters<JobQueue['send']>[2]): Promise<void> {
    await this.#queue.send(tx, id, options)
    const news = this.#news.get(tx)
    if (news) news.queued = true
  }

  #nextChange(id: string, pollMs: number, signal?: AbortSignal): Promise<unknown> {
    const timeout = AbortSignal.timeout(pollMs)
    const ends = signal ? AbortSignal.any([signal, timeout]) : timeout
    return once(this.#changes, `job ${id}`, { signal: ends }).catch(() => undefined)
  }

  async #select(where: SQL): Promise<StoredJob[]> {
    const rows = await this.#database.db.select().from(jobs).where(where).orderBy(asc(jobs.createdAt)) // prettier-ignore
    return rows.map(stored)
  }

  async #active(db: Db): Promise<StoredJob[]> {
    const rows = await db
      .select()
      .from(jobs)
      .where(inArray(jobs.status, ['waiting', 'queued', 'running']))
    return rows.map(stored)
  }

  async #lock(tx: Db, id: string): Promise<StoredJob> {
    const [row] = await tx.select().from(jobs).where(eq(jobs.id, id)).for('update')
    return row ? stored(row) : unknownJob(id)
  }

  /** The stored jobs that the new ones wait for; they cannot be deleted meanwhile. */
  async #lockParents(
    tx: Db,
    added: readonly NewJob[],
    own: ReadonlySet<string>,
  ): Promise<StoredJob[]> {
    const ids = [...new Set(added.flatMap(({ after }) => after))].filter((id) => !own.has(id))
    const parents: StoredJob[] = []
    for (const id of ids.sort()) parents.push(await this.#lock(tx, id))
    return parents
  }

  /** Callers hold the job's row, so numbers follow each other without gaps. */
  async #append(tx: Db, id: string, events: readonly NewEvent[]): Promise<void> {
    if (events.length === 0) return
    const [last] = await tx
      .select({ seq: sql<number>`coalesce(max(${jobEvents.seq}), 0)::int` })
      .from(jobEvents)
      .where(eq(jobEvents.jobId, id))
    const rows = events.map(({ type, data, at }, i) => {
      return { jobId: id, seq: last!.seq + 1 + i, type, data, ...(at && { createdAt: at }) }
    })
    await tx.insert(jobEvents).values(rows)
    this.#news.get(tx)?.touched.add(id)
  }

  /** Ends a job whose row is held, and lets the jobs that wait for it start or fail. */
  async #end(
    tx: Db,
    id: string,
    end:
      | { status: 'succeeded'; result: unknown }
      | { status: 'failed'; error: JobFailure }
      | { status: 'cancelled' },
  ): Promise<void> {
    const result = end.status === 'succeeded' ? (end.result as Record<string, unknown>) : null
    const error = end.status === 'failed' ? { ...end.error } : null
    await tx
      .update(jobs)
      .set({ status: end.status, result, error, finishedAt: now, heartbeatAt: null })
      .where(eq(jobs.id, id))
    const events: NewEvent[] = [{ type: 'status', data: { status: end.status } }]
    if (result) events.unshift({ type: 'result', data: result })
    if (error) events.unshift({ type: 'error', data: error })
    await this.#append(tx, id, events)
    for (const child of await this.#children(tx, id)) await this.#resolveWaiting(tx, child.id)
  }

  async #children(tx: Db, id: string): Promise<StoredJob[]> {
    const rows = await tx
      .select()
      .from(jobs)
      .where(
        and(sql`${id}::uuid = any(${jobs.after})`, inArray(jobs.status, ['waiting', 'queued'])),
      )
      .orderBy(asc(jobs.id))
    return rows.map(stored)
  }

  /** Queues a waiting job whose parents have all succeeded; fails it when one of them cannot any more. */
  async #resolveWaiting(tx: Db, id: string): Promise<void> {
    // The row first: of two parents that end at the same time, the second sees what the first did.
    const job = await this.#lock(tx, id)
    if (job.status !== 'waiting') return
    const parents: ParentState[] = []
    for (const parent of job.after) parents.push(await this.#statusOf(tx, parent))
    const broken = parents.find(({ outcome }) => outcome !== null)
    if (broken) {
      const message = `this job depends on ${broken.label}, which ${broken.outcome}`
      await this.#end(tx, id, { status: 'failed', error: { code: 'JOB_DEPENDENCY', message } })
    } else if (parents.every(({ status }) => status === 'succeeded')) {
      await tx.update(jobs).set({ status: 'queued' }).where(eq(jobs.id, id))
      await this.#append(tx, id, [{ type: 'status', data: { status: 'queued' } }])
      await this.#send(tx, id, { priority: job.priority })
    }
  }

  async #statusOf(tx: Db, id: string): Promise<ParentState> {
    const [row] = await tx.select().from(jobs).where(eq(jobs.id, id))
    if (!row) return { label: `the job ${id}`, status: null, outcome: 'was deleted' }
    const { status, kind, name } = stored(row)
    const label = `the job ${id} (${name ?? kind})`
    const outcomes: Partial<Record<JobStatus, string>> = { failed: 'failed', cancelled: 'was cancelled' } // prettier-ignore
    return { label, status, outcome: outcomes[status] ?? null }
  }

  /** Back to waiting, with the jobs that failed only because this one did. */
  async #reopen(tx: Db, id: string): Promise<void> {
    await tx
      .update(jobs)
      .set({ status: 'waiting', error: null, finishedAt: null, cancelRequested: false })
      .where(eq(jobs.id, id))
    const data = { status: 'waiting', reason: 'retry' }
    await this.#append(tx, id, [{ type: 'status', data }])
    const dependents = await tx
      .select({ id: jobs.id })
      .from(jobs)
      .where(
        and(
          sql`${id}::uuid = any(${jobs.after})`,
          eq(jobs.status, 'failed'),
          sql`${jobs.error}->>'code' = 'JOB_DEPENDENCY'`,
        ),
      )
      .orderBy(asc(jobs.id))
    for (const dependent of dependents) {
      await this.#lock(tx, dependent.id)
      await this.#reopen(tx, dependent.id)
    }
  }
}

interface ParentState {
  readonly label: string
  readonly status: JobStatus | null
  /** Why the parent cannot succeed any more; null while it can. */
  readonly outcome: string | null
}

const holding = ({ id, attempts }: Held) =>
  and(eq(jobs.id, id), eq(jobs.attempts, attempts), eq(jobs.status, 'running'))

const unknownJob = (id: string): never => fail('JOB_NOT_FOUND', `"${id}"`)

/** The active job that writes this model or data set, if there is one. */
export function writerOf(
  active: readonly StoredJob[],
  folder: 'models' | 'datasets',
  name: string,
): StoredJob | undefined {
  return active.find((job) => outputsOf(job)[folder].includes(name))
}
