/** Messages between the process and the worker thread that runs PGlite. */

export interface WorkerData {
  /** PostgreSQL's data folder; must exist. */
  dir: string
}

/** How rows come: by column name or as lists. `rawTypes`: types (by oid) that stay text. */
export interface QueryOptions {
  rowMode?: 'array' | 'object'
  rawTypes?: number[]
}

/** `tx`: the transaction it belongs to. While one is under way, what does not belong to it waits. */
export type Request =
  /** One statement with parameters. */
  | { op: 'query'; text: string; params: unknown[]; options: QueryOptions; tx: number | null }
  /** Any number of statements. */
  | { op: 'exec'; text: string; tx: number | null }
  | { op: 'begin' | 'commit' | 'rollback'; tx: number }
  | { op: 'listen' | 'unlisten'; channel: string; tx: null }
  | { op: 'close'; tx: null }

export type ToWorker = Request & { id: number }

export interface QueryResult {
  rows: unknown[]
  fields: { name: string; dataTypeID: number }[]
  affectedRows?: number
}

export type FromWorker =
  | { type: 'ready' }
  | { type: 'unopened'; error: PackedError }
  | { type: 'done'; id: number; results: QueryResult[] }
  | { type: 'failed'; id: number; error: PackedError }
  | { type: 'notification'; channel: string; payload: string }

/** An error as plain data; `fields` holds PostgreSQL's own (code, detail, constraint, …). */
export interface PackedError {
  message: string
  fields: Record<string, string>
}

const errorFields = [
  'code',
  'severity',
  'detail',
  'hint',
  'position',
  'where',
  'schema',
  'table',
  'column',
  'dataType',
  'constraint',
] as const

export function packError(error: unknown): PackedError {
  const source = error as Partial<Record<string, unknown>>
  const message = error instanceof Error ? error.message : String(error)
  const fields = errorFields.flatMap((name) => {
    const value = source?.[name]
    return typeof value === 'string' ? [[name, value] as const] : []
  })
  return { message, fields: Object.fromEntries(fields) }
}

/** The stack is the caller's, which says more than the worker's. */
export function unpackError({ message, fields }: PackedError): Error {
  return Object.assign(new Error(message), fields)
}
