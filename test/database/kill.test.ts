import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { openDatabase, schema } from '../../src/database/index.ts'
import { pgliteHome } from '../fixtures/databases.ts'

interface Report {
  ready?: number
  committed?: number
  code?: string
}

/** When to kill: some time after the start, or after this many commits. */
type Moment = { afterMs: number } | { afterCommits: number }

/** Kills a writing process with SIGKILL; gives what it reported until then. */
async function writeAndKill(home: string, moment: Moment) {
  const child = fork(new URL('writer-process.ts', import.meta.url), [home], { silent: true })
  const seen = { committed: 0, commits: 0, failure: undefined as string | undefined, rows: -1 }
  const reached = Promise.withResolvers<void>()
  child.on('message', (report: Report) => {
    if (report.ready !== undefined) seen.rows = report.ready
    if (report.committed !== undefined) {
      seen.committed = report.committed
      seen.commits += 1
    }
    seen.failure = report.code ?? seen.failure
    const isReached = 'afterCommits' in moment && seen.commits >= moment.afterCommits
    if (isReached || seen.failure) reached.resolve()
  })
  if ('afterMs' in moment) await sleep(moment.afterMs)
  else await reached.promise
  // Somewhere within the next transaction, or while it is being written.
  await sleep(20 * Math.random())
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
  return seen
}

t.test('whatever was committed is there after kill -9, and nothing by halves', async (t) => {
  const home = await pgliteHome(t)
  let acknowledged = 0
  const commits = (): Moment => ({ afterCommits: 5 + Math.floor(30 * Math.random()) })
  // The second: during recovery, migration or the first rows.
  const moments = [commits(), { afterMs: 200 + 1500 * Math.random() }, commits(), commits()]
  for (const moment of moments) {
    const seen = await writeAndKill(home, moment)
    const when = `killed ${JSON.stringify(moment)}`
    t.equal(seen.failure, undefined, `opened; ${when}`)
    if (seen.rows >= 0) t.ok(seen.rows >= acknowledged, `${seen.rows} rows of ${acknowledged}`)
    acknowledged = Math.max(acknowledged, seen.committed)
  }
  const database = await openDatabase({ home })
  t.teardown(() => database.close())
  const rows = await database.db.select().from(schema.usage).orderBy(schema.usage.day)
  t.ok(acknowledged > 0)
  t.ok(rows.length >= acknowledged, `${rows.length} rows of ${acknowledged}`)
  t.same(
    rows.map((row) => row.requests),
    rows.map((_, index) => index),
    'none is missing, none is there twice',
  )
  let whole = 0
  while (whole < rows.length) whole += 1 + (whole % 7)
  t.equal(whole, rows.length, 'the last transaction is whole')
})
