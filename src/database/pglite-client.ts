/**
 * PGlite in a worker thread, seen from the process. Starts a new thread after one broke (PostgreSQL then recovers from
 * its log as after a crash). It has the methods that drizzle's PGlite driver and pg-boss call on a PGlite.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { fail } from '../errors.ts'
import { startPglite, type PgliteLink, type Rows } from './pglite-link.ts'

/** Options as drizzle passes them. Its parsers all leave text as it is; functions cannot go to a thread. */
interface DriverOptions {
  rowMode?: 'array' | 'object'
  parsers?: Record<number, (text: string) => unknown>
}

export interface PgliteQueries {
  /** One statement. */
  query(text: string, params?: unknown[], options?: DriverOptions): Promise<Rows>
  /** Any number of statements, without parameters. */
  exec(text: string): Promise<Rows[]>
}

interface TransactionState {
  readonly tx: number
  isOpen: boolean
}

export class PgliteClient implements PgliteQueries {
  readonly #dir: string
  readonly #log: (event: object) => void
  #link: Promise<PgliteLink> | null = null
  #isClosed = false
  #transactions = 0
  #statements = 0
  readonly #inside = new AsyncLocalStorage<TransactionState>()
  readonly #listeners = new Map<string, Set<(payload: string) => void>>()

  constructor(dir: string, log: (event: object) => void) {
    this.#dir = dir
    this.#log = log
  }

  /** Statements and transactions so far. */
  get statements(): number {
    return this.#statements
  }

  /** Starts the thread. Rejects with what PGlite failed to open with. */
  async open(): Promise<void> {
    await this.#connect()
  }

  async query(text: string, params?: unknown[], options?: DriverOptions): Promise<Rows> {
    return query(await this.#outside(), text, params, options, null)
  }

  async exec(text: string): Promise<Rows[]> {
    return (await this.#outside()).request({ op: 'exec', text, tx: null })
  }

  /** COMMIT when `work` resolves, else ROLLBACK. Other statements wait meanwhile: there is one session. */
  async transaction<T>(work: (tx: PgliteQueries) => Promise<T>): Promise<T> {
    const link = await this.#outside()
    const tx = (this.#transactions += 1)
    const state: TransactionState = { tx, isOpen: true }
    await link.request({ op: 'begin', tx })
    try {
      const result = await this.#inside.run(state, () => work(queriesInside(link, state)))
      state.isOpen = false
      await link.request({ op: 'commit', tx })
      return result
    } catch (error) {
      // A failed COMMIT has ended the transaction already.
      if (state.isOpen) await link.request({ op: 'rollback', tx }).catch(() => {})
      throw error
    } finally {
      state.isOpen = false
    }
  }

  /** Calls back for every NOTIFY on the channel, also after the thread was replaced. */
  async listen(channel: string, callback: (payload: string) => void): Promise<() => Promise<void>> {
    const callbacks = this.#listeners.get(channel) ?? new Set()
    const isFirst = callbacks.size === 0
    callbacks.add(callback)
    this.#listeners.set(channel, callbacks)
    if (isFirst) await (await this.#outside()).request({ op: 'listen', channel, tx: null })
    return async () => {
      callbacks.delete(callback)
      if (callbacks.size > 0 || !this.#listeners.delete(channel) || this.#isClosed) return
      await (await this.#outside()).request({ op: 'unlisten', channel, tx: null })
    }
  }

  /** Waits for what is under way, then ends the thread. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    const link = await this.#link?.catch(() => null)
    if (!link) return
    await link
      .request({ op: 'close', tx: null })
      .catch((error: unknown) => this.#log({ event: 'database_close', error: String(error) }))
    await link.exited
  }

  /** The thread. Fails inside of a transaction: the statement would wait for it, and it for the statement. */
  async #outside(): Promise<PgliteLink> {
    if (this.#inside.getStore()?.isOpen) {
      fail('INTERNAL', 'internal: inside of a transaction use its own handle, not the database')
    }
    if (this.#isClosed) fail('DATABASE_UNAVAILABLE', 'it is closed')
    this.#statements += 1
    return this.#connect()
  }

  #connect(): Promise<PgliteLink> {
    this.#link ??= this.#start().catch((error: unknown) => {
      this.#link = null
      throw error
    })
    return this.#link
  }

  async #start(): Promise<PgliteLink> {
    const link = await startPglite(this.#dir, (channel, payload) => {
      for (const call of this.#listeners.get(channel) ?? []) call(payload)
    })
    void link.exited.then((code) => {
      this.#link = null
      if (!this.#isClosed) this.#log({ event: 'database_stopped', code })
    })
    for (const channel of this.#listeners.keys()) {
      await link.request({ op: 'listen', channel, tx: null })
    }
    return link
  }
}

async function query(
  link: PgliteLink,
  text: string,
  params: unknown[] = [],
  { rowMode, parsers = {} }: DriverOptions = {},
  tx: number | null,
): Promise<Rows> {
  const options = { rowMode, rawTypes: Object.keys(parsers).map(Number) }
  const [result] = await link.request({ op: 'query', text, params, options, tx })
  return result!
}

function queriesInside(link: PgliteLink, state: TransactionState): PgliteQueries {
  const { tx } = state
  const check = (): void => {
    if (!state.isOpen) fail('INTERNAL', 'internal: the transaction is over')
  }
  return {
    async query(text, params, options) {
      check()
      return query(link, text, params, options, tx)
    },
    async exec(text) {
      check()
      return link.request({ op: 'exec', text, tx })
    },
  }
}
