/**
 * The worker thread that runs PGlite: PostgreSQL in WebAssembly works synchronously, and would hold up every socket of
 * the process. Statements run one after the other in the order of their messages; those of the open transaction first.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { PGlite } from '@electric-sql/pglite'
import { openDurablePglite } from './durable-pglite.ts'
import {
  packError,
  type FromWorker,
  type QueryResult,
  type ToWorker,
  type WorkerData,
} from './pglite-protocol.ts'

const { dir } = workerData as WorkerData
const send = (message: FromWorker): void => parentPort!.postMessage(message)

const asIs = (text: string): string => text

/** The one under way. */
let transaction: number | null = null

/** Listeners by channel. */
const subscriptions = new Map<string, () => Promise<void>>()

async function run(lite: PGlite, message: ToWorker): Promise<QueryResult[]> {
  switch (message.op) {
    case 'query': {
      const { rowMode = 'object', rawTypes = [] } = message.options
      const parsers = Object.fromEntries(rawTypes.map((oid) => [oid, asIs]))
      const result = await lite.query<unknown>(message.text, message.params, { rowMode, parsers })
      return [plain(result)]
    }
    case 'exec':
      return (await lite.exec(message.text)).map(plain)
    case 'begin':
      transaction = message.tx
      await lite.exec('BEGIN')
      return []
    case 'commit':
    case 'rollback':
      await lite.exec(message.op)
      return []
    case 'listen': {
      const { channel } = message
      const unlisten = await lite.listen(channel, (payload) =>
        send({ type: 'notification', channel, payload }),
      )
      subscriptions.set(channel, unlisten)
      return []
    }
    case 'unlisten':
      await subscriptions.get(message.channel)?.()
      subscriptions.delete(message.channel)
      return []
    case 'close':
      await lite.close()
      return []
  }
}

const plain = ({ rows, fields, affectedRows }: QueryResult): QueryResult => ({
  rows,
  fields: fields.map(({ name, dataTypeID }) => ({ name, dataTypeID })),
  affectedRows,
})

/**
 * A statement outside of the callers' transactions leaves none open behind it (as in a pool of connections, which
 * pg-boss expects), and whatever became of a COMMIT, the transaction is over.
 */
async function endTransaction(lite: PGlite, { op, tx }: ToWorker): Promise<void> {
  if (tx !== null && op !== 'commit' && op !== 'rollback') return
  transaction = null
  if (op !== 'close' && lite.isInTransaction()) await lite.exec('ROLLBACK')
}

/** After these PostgreSQL does not answer any more: its process would have ended, or WebAssembly stopped. */
function isBroken(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { severity } = error as { severity?: string }
  const isOver = severity === 'PANIC' || severity === 'FATAL'
  return isOver || error.name === 'RuntimeError' || error.message.startsWith('Aborted(')
}

async function answer(lite: PGlite, message: ToWorker): Promise<void> {
  const { id } = message
  try {
    const results = await run(lite, message)
    await endTransaction(lite, message)
    send({ type: 'done', id, results })
  } catch (error) {
    send({ type: 'failed', id, error: packError(error) })
    if (isBroken(error)) process.exit(1)
    await endTransaction(lite, message)
  }
  if (message.op === 'close') parentPort!.close()
}

/** Takes what may run now: anything, or what belongs to the open transaction. */
function takeNext(waiting: ToWorker[]): ToWorker | undefined {
  const index = waiting.findIndex(({ tx }) => transaction === null || tx === transaction)
  return index < 0 ? undefined : waiting.splice(index, 1)[0]
}

function serve(lite: PGlite): void {
  const waiting: ToWorker[] = []
  let isBusy = false
  parentPort!.on('message', (message: ToWorker) => {
    waiting.push(message)
    if (!isBusy) void work()
  })
  const work = async (): Promise<void> => {
    isBusy = true
    for (let next = takeNext(waiting); next; next = takeNext(waiting)) await answer(lite, next)
    isBusy = false
  }
}

try {
  serve((await openDurablePglite(dir)).lite)
  send({ type: 'ready' })
} catch (error) {
  send({ type: 'unopened', error: packError(error) })
  parentPort!.close()
}
