/** Jobs from the request to the end, over both databases, with a handler that does what the test says. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import type { JobStatus } from '../../schemas/jobs.ts'
import type { Database } from '../../src/database/index.ts'
import { startJobQueue, type JobQueue } from '../../src/jobs/job-queue.ts'
import { JobStore, type NewJob, type StoredEvent } from '../../src/jobs/job-store.ts'
import { JobWorker } from '../../src/jobs/job-worker.ts'
import { forEachDatabase } from '../fixtures/databases.ts'
import { fakeHandler } from './fake-handler.ts'

const newJob = (name: string, more: Partial<NewJob> = {}): NewJob =>
  ({
    kind: 'label',
    spec: { data: 'd', apm: 'a', name },
    id: randomUUID(),
    name,
    priority: 0,
    pipelineId: null,
    after: [],
    maxAttempts: 3,
    keyId: null,
    ...more,
  }) as NewJob

interface Place {
  readonly database: Database
  readonly queue: JobQueue
  readonly store: JobStore
}

/** A worker over a fake handler; stopped with the test. */
async function startWorker(
  t: Test,
  { store }: Place,
  more: Partial<ConstructorParameters<typeof JobWorker>[0]> = {},
) {
  // prettier-ignore
  const handler = fakeHandler()
  const logged: object[] = []
  const worker = new JobWorker({
    store,
    handler: () => handler,
    concurrency: 1,
    log: (event) => logged.push(event),
    pollMs: 50,
    heartbeatMs: 50,
    flushMs: 10,
    ...more,
  })
  await worker.start()
  t.teardown(() => worker.stop())
  return { worker, handler, logged }
}

const add = async ({ store }: Place, ...jobs: NewJob[]): Promise<string[]> =>
  (await store.insert(jobs, () => {})).map(({ id }) => id)

async function reaches({ store }: Place, id: string, status: JobStatus) {
  for (;;) {
    const job = await store.get(id)
    if (job.status === status) return job
    await sleep(10)
  }
}

const statusesOf = (events: readonly StoredEvent[]): unknown[] =>
  events.filter(({ type }) => type === 'status').map(({ data }) => data.status)

async function scenarios(t: Test, place: Place): Promise<void> {
  const { store, database } = place

  await t.test('a job runs to its end; its events have no gaps and can be replayed', async (t) => {
    const { handler } = await startWorker(t, place)
    const [id] = await add(place, newJob('one'))
    const seen: StoredEvent[] = []
    const watching = (async () => {
      for await (const event of store.watch(id!, 0)) seen.push(event)
    })()
    const { sink, end, attempt } = await handler.attempt(0)
    t.match(attempt, { id: id!, number: 1, kind: 'label', spec: { name: 'one' } })
    sink.progress({ done: 1, total: 2, unit: 'rows', note: 'label' })
    for (const step of [1, 2]) sink.metrics({ step, loss: 1 / step })
    sink.metrics({ step: 2, validation_loss: 0.4 })
    sink.log('a line')
    end({ type: 'succeeded', result: { rows: 2 } })
    await watching
    t.same(seen.map(({ seq }) => seq), seen.map((_, i) => i + 1)) // prettier-ignore
    t.same(statusesOf(seen), ['waiting', 'queued', 'running', 'succeeded'])
    t.same(
      seen.filter(({ type }) => type === 'metrics').map(({ data }) => data),
      [{ step: 1, loss: 1 }, { step: 2, loss: 0.5 }, { step: 2, validation_loss: 0.4 }], // prettier-ignore
    )
    t.match(seen.at(-2), { type: 'result', data: { rows: 2 } })
    const replayed: StoredEvent[] = []
    for await (const event of store.watch(id!, 3)) replayed.push(event)
    t.same(replayed, seen.slice(3))
    const job = await store.get(id!)
    t.match(job, { status: 'succeeded', result: { rows: 2 }, attempts: 1, progress: { done: 1 } })
    t.ok(job.startedAt! <= job.finishedAt!)
    t.same(handler.forgotten, [id])
  })

  await t.test('one at a time, the higher priority first, then the older', async (t) => {
    const ids = await add(place, newJob('a'), newJob('b'), newJob('c', { priority: 5 }))
    const { handler } = await startWorker(t, place)
    for (const n of [0, 1, 2]) {
      const { end } = await handler.attempt(n)
      t.equal(handler.started.length, n + 1)
      end({ type: 'succeeded', result: {} })
    }
    await reaches(place, ids[1]!, 'succeeded')
    const order = handler.started.map(({ attempt }) => attempt.id)
    t.same(order, [ids[2], ids[0], ids[1]])
  })

  await t.test('two at a time where the worker may', async (t) => {
    const { handler } = await startWorker(t, place, { concurrency: 2 })
    const ids = await add(place, newJob('a'), newJob('b'), newJob('c'))
    await handler.attempt(1)
    await sleep(120)
    t.equal(handler.started.length, 2)
    for (const n of [0, 1, 2]) (await handler.attempt(n)).end({ type: 'succeeded', result: {} })
    for (const id of ids) await reaches(place, id, 'succeeded')
  })

  await t.test('a job waits for the jobs it depends on', async (t) => {
    const { handler } = await startWorker(t, place, { concurrency: 2 })
    const [a, b] = [newJob('a'), newJob('b')]
    const c = newJob('c', { after: [a.id, b.id] })
    await add(place, c, a, b)
    t.equal((await store.get(c.id)).status, 'waiting')
    ;(await handler.attempt(0)).end({ type: 'succeeded', result: {} })
    ;(await handler.attempt(1)).end({ type: 'succeeded', result: {} })
    t.equal((await handler.attempt(2)).attempt.id, c.id)
    handler.started[2]!.end({ type: 'succeeded', result: {} })
    await reaches(place, c.id, 'succeeded')
  })

  await t.test(
    'a failed job fails those after it, says why, and a retry opens them again',
    async (t) => {
      // prettier-ignore
      const { handler } = await startWorker(t, place)
      const a = newJob('first')
      const b = newJob('b', { after: [a.id] })
      const c = newJob('c', { after: [b.id] })
      await add(place, a, b, c)
      const error = { code: 'BAD_RECORD' as const, message: 'row 3' }
      ;(await handler.attempt(0)).end({ type: 'failed', error })
      t.match(await reaches(place, c.id, 'failed'), { error: { code: 'JOB_DEPENDENCY', message: new RegExp(`${b.id} \\(b\\), which failed`) }, attempts: 0 }) // prettier-ignore
      t.match(await store.get(a.id), { status: 'failed', error, attempts: 1 }, 'not tried again')
      t.match((await store.get(b.id)).error, { message: /\(first\), which failed/ })
      await store.retry(a.id, () => {})
      for (const n of [1, 2, 3]) (await handler.attempt(n)).end({ type: 'succeeded', result: {} })
      t.match(await reaches(place, c.id, 'succeeded'), { error: null })
      await t.rejects(
        store.retry(c.id, () => {}),
        { code: 'JOB_STATE' },
      )
    },
  )

  await t.test('a crash is tried again at once; steps are not told twice', async (t) => {
    const { handler } = await startWorker(t, place)
    const [id] = await add(place, newJob('crash'))
    const first = await handler.attempt(0)
    for (const step of [1, 2, 3]) first.sink.metrics({ step, loss: step })
    first.end({ type: 'crashed', detail: 'signal SIGKILL' })
    const second = await handler.attempt(1)
    t.equal(second.attempt.number, 2)
    for (const step of [2, 3, 4]) second.sink.metrics({ step, loss: step })
    second.end({ type: 'succeeded', result: {} })
    await reaches(place, id!, 'succeeded')
    const events = await store.events(id!, 0, 100)
    const steps = events.filter(({ type }) => type === 'metrics').map(({ data }) => data.step)
    t.same(steps, [1, 2, 3, 4])
    t.same(statusesOf(events), ['waiting', 'queued', 'running', 'queued', 'running', 'succeeded'])
    t.match(events.find(({ data }) => data.reason === 'crashed')?.data, { detail: /SIGKILL/ })
  })

  await t.test('crashes without progress end a job; a checkpoint is progress', async (t) => {
    const { handler } = await startWorker(t, place)
    const [id] = await add(place, newJob('storm', { maxAttempts: 2 }))
    for (const n of [0, 1, 2]) {
      const { sink, end } = await handler.attempt(n)
      sink.checkpoint(n + 1)
      end({ type: 'crashed', detail: 'x' })
    }
    ;(await handler.attempt(3)).end({ type: 'crashed', detail: 'exit code 7' })
    const job = await reaches(place, id!, 'failed')
    t.match(job, { attempts: 4, error: { code: 'JOB_CRASHED', message: /^2 times.*exit code 7/ } })
    await store.retry(id!, () => {})
    ;(await handler.attempt(4)).end({ type: 'crashed', detail: 'x' })
    ;(await handler.attempt(5)).end({ type: 'succeeded', result: {} })
    await reaches(place, id!, 'succeeded')
  })

  await t.test('cancelling: before it begins, while it waits, while it runs', async (t) => {
    const { handler } = await startWorker(t, place)
    const [runs, queued] = await add(place, newJob('a'), newJob('b'))
    const [waits] = await add(place, newJob('c', { after: [queued!] }))
    const { asked } = await handler.attempt(0)
    await store.cancel(queued!)
    t.equal((await store.get(queued!)).status, 'cancelled')
    t.match((await store.get(waits!)).error, { code: 'JOB_DEPENDENCY', message: /was cancelled/ })
    await store.cancel(runs!)
    t.match(await reaches(place, runs!, 'cancelled'), { error: null })
    t.same(asked.filter((what) => what === 'stop'), ['stop']) // prettier-ignore
    await t.rejects(store.cancel(runs!), { code: 'JOB_STATE' })
    await store.retry(runs!, () => {})
    const again = await handler.attempt(1)
    t.match(again.attempt, { id: runs!, number: 2 }, 'goes on where it stopped')
    again.end({ type: 'succeeded', result: {} })
    await reaches(place, runs!, 'succeeded')
  })

  await t.test('a request to cancel reaches a worker in another process', async (t) => {
    const { handler } = await startWorker(t, place)
    const [id] = await add(place, newJob('a'))
    await handler.attempt(0)
    // Another store has its own listeners, as another process has.
    await new JobStore(database, place.queue).cancel(id!)
    await reaches(place, id!, 'cancelled')
  })

  await t.test(
    'the job of a worker that is gone is taken up; the lost one writes nothing more',
    async (t) => {
      // prettier-ignore
      const [id] = await add(place, newJob('lost'))
      const held = await store.claim()
      t.equal(held!.id, id)
      await database.db.execute(sql`update jobs set heartbeat_at = now() - interval '1 hour' where id = ${id}`) // prettier-ignore
      const { handler } = await startWorker(t, place)
      const { attempt, end } = await handler.attempt(0)
      t.match(attempt, { id: id!, number: 2 })
      t.equal(await store.record(held!, [{ type: 'log', data: {} }], null), false)
      t.equal(await store.heartbeat(held!), 'lost')
      t.equal(await store.settle(held!, { status: 'succeeded', result: { wrong: true } }), false)
      t.equal(await store.requeue(held!, 'crashed'), false)
      end({ type: 'succeeded', result: { right: true } })
      t.match(await reaches(place, id!, 'succeeded'), { result: { right: true }, attempts: 2 })
    },
  )

  await t.test('a worker whose job was taken away kills it', async (t) => {
    const { handler, logged } = await startWorker(t, place)
    const [id] = await add(place, newJob('stolen'))
    const { asked } = await handler.attempt(0)
    await database.db.execute(sql`update jobs set attempts = 7 where id = ${id}`)
    while (!asked.includes('kill')) await sleep(5)
    t.match(logged, [{ event: 'job_lost', job: id }])
    await database.db.execute(sql`delete from jobs where id = ${id}`)
  })

  await t.test('a stopping worker saves its job and puts it back', async (t) => {
    const first = await startWorker(t, place)
    const [id] = await add(place, newJob('moves'))
    await first.handler.attempt(0)
    await first.worker.stop()
    t.equal((await store.get(id!)).status, 'queued')
    const second = await startWorker(t, place)
    const { attempt, end } = await second.handler.attempt(0)
    t.match(attempt, { id: id!, number: 2 })
    end({ type: 'succeeded', result: {} })
    await reaches(place, id!, 'succeeded')
    const reasons = (await store.events(id!, 0, 100)).map(({ data }) => data.reason).filter(Boolean)
    t.same(reasons, ['worker stopped'])
  })

  await t.test('a busy server is told to running jobs and to those that start', async (t) => {
    const { worker, handler } = await startWorker(t, place, { concurrency: 2 })
    const ids = await add(place, newJob('a'))
    const first = await handler.attempt(0)
    worker.setBusy(true)
    t.equal(first.asked.at(-1), 'busy')
    ids.push(...(await add(place, newJob('b'))))
    t.same((await handler.attempt(1)).asked, ['busy'])
    worker.setBusy(false)
    t.equal(handler.started[1]!.asked.at(-1), 'calm')
    for (const { end } of handler.started) end({ type: 'succeeded', result: {} })
    for (const id of ids) await reaches(place, id, 'succeeded')
  })

  await t.test('listing: by status and kind, page by page', async (t) => {
    const ids: string[] = []
    for (const name of ['a', 'b', 'c']) ids.push(...(await add(place, newJob(name))))
    const newest = await store.list({ status: 'queued', kind: 'label', limit: 2 })
    t.same(newest.map(({ id }) => id), [ids[2], ids[1]]) // prettier-ignore
    const older = await store.list({ status: 'queued', limit: 2, before: ids[1]! })
    t.same(older.map(({ id }) => id), [ids[0]]) // prettier-ignore
    t.same(await store.list({ kind: 'import', limit: 10 }), [])
    await t.rejects(store.list({ before: randomUUID(), limit: 1 }), { code: 'JOB_NOT_FOUND' })
    for (const id of ids) await store.cancel(id)
  })

  await t.test('deleting: only what is over and what nobody waits for', async (t) => {
    const a = newJob('a')
    const b = newJob('b', { after: [a.id] })
    await add(place, a, b)
    await t.rejects(store.delete(a.id), { code: 'JOB_STATE' })
    await store.cancel(a.id)
    await store.delete(a.id)
    await t.rejects(store.get(a.id), { code: 'JOB_NOT_FOUND' })
    t.same(await store.events(a.id, 0, 10), [])
    await store.delete(b.id)
  })

  await t.test('a check that refuses leaves nothing; unknown parents are refused', async (t) => {
    const before = (await store.list({ limit: 200 })).length
    await t.rejects(store.insert([newJob('a')], () => { throw new Error('no') }), { message: 'no' }) // prettier-ignore
    await t.rejects(add(place, newJob('a', { after: [randomUUID()] })), { code: 'JOB_NOT_FOUND' })
    t.equal((await store.list({ limit: 200 })).length, before)
  })

  await t.test('a sweep makes up for lost messages and missed ends', async (t) => {
    const a = newJob('a')
    const b = newJob('b', { after: [a.id] })
    await add(place, a, b)
    await database.db.execute(sql`delete from pgboss.job`)
    await store.sweep(60_000)
    const { handler } = await startWorker(t, place)
    ;(await handler.attempt(0)).end({ type: 'succeeded', result: {} })
    ;(await handler.attempt(1)).end({ type: 'succeeded', result: {} })
    await reaches(place, b.id, 'succeeded')
    t.equal(handler.started.length, 2)
  })
}

await forEachDatabase(t, async (t, open) => {
  const database = await open()
  const queue = await startJobQueue(database, (event) => t.comment(JSON.stringify(event)))
  const store = new JobStore(database, queue)
  t.teardown(() => queue.stop())
  await scenarios(t, { database, queue, store })
})
