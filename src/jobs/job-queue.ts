/**
 * Which job is next: pg-boss over the same database. A message says "job X may start" and is taken in the transaction
 * that marks the job as running, so that none is lost and none is taken twice. How long a job runs is no business of
 * the queue (pg-boss ends its own jobs after a day at the latest): the row's heartbeat says whether it is alive.
 */
import { sql } from 'drizzle-orm'
import { fromDrizzle, PgBoss } from 'pg-boss'
import type { Database, Db } from '../database/index.ts'

const queueName = 'steerlm-jobs'
const yearSeconds = 365 * 24 * 60 * 60

export interface JobQueue {
  /** Part of the caller's transaction. A job whose message is still there keeps that one. */
  send(tx: Db, id: string, options: { priority: number; delaySeconds?: number }): Promise<void>
  /** The next job's id, highest priority first, oldest first; null where nothing waits. Gone with the commit. */
  take(tx: Db): Promise<string | null>
  stop(): Promise<void>
}

export async function startJobQueue(
  database: Database,
  log: (event: object) => void,
): Promise<JobQueue> {
  const boss = new PgBoss({
    ...database.bossOptions(),
    // Messages are fetched in our own transactions; there is no cron here.
    useListenNotify: false,
    schedule: false,
  } as ConstructorParameters<typeof PgBoss>[0])
  boss.on('error', (error) => log({ event: 'job_queue_error', message: error.message }))
  await boss.start()
  await boss.createQueue(queueName, {
    // One waiting message for each singletonKey.
    policy: 'short',
    retentionSeconds: yearSeconds,
    deleteAfterSeconds: 60,
  })
  return {
    async send(tx, id, { priority, delaySeconds }) {
      const db = fromDrizzle(tx, sql)
      await boss.send(
        queueName,
        { id },
        { db, priority, singletonKey: id, ...(delaySeconds && { startAfter: delaySeconds }) },
      )
    },
    async take(tx) {
      const db = fromDrizzle(tx, sql)
      const [message] = await boss.fetch<{ id: string }>(queueName, { db })
      if (!message) return null
      await boss.deleteJob(queueName, message.id, { db })
      return message.data.id
    },
    stop: () => boss.stop({ graceful: true, timeout: 5_000 }),
  }
}
