/**
 * Uploads of any size: the body as a stream of chunks, raw or as the file of a form. Owns what a broken connection
 * means, and that the rest of a refused body is read and dropped, for a client may only look at the answer after that.
 */
import type { IncomingMessage } from 'node:http'
import type { MultipartFile } from '@fastify/multipart'
import multipart from '@fastify/multipart'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { fail, SteerError } from '../errors.ts'
import type { ByteChunks } from '../util/byte-chunks.ts'

export interface Upload {
  /** Of the form's file; '' where the client gave none. */
  fileName: string
  chunks: ByteChunks
  /** Text fields of the form; those after the file come once `chunks` has ended. */
  fields: Record<string, string>
}

export interface UploadOptions {
  /** A connection that sends nothing for so long is closed. */
  idleMs?: number
}

const defaultIdleMs = 120_000

const formLimits = { fileSize: Infinity, files: 2, fields: 16, fieldSize: 4096, parts: 18 }

/** Lets the routes of this scope take any body, unread. */
export async function acceptUploads(app: FastifyInstance): Promise<void> {
  app.removeAllContentTypeParsers()
  await app.register(multipart, { limits: formLimits, throwFileSizeLimit: false })
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
}

/**
 * Hands the upload to `store` and gives what that gives. Fails CANCELLED when the connection breaks, BAD_REQUEST on a
 * malformed form or an empty body.
 */
export async function receiveUpload<T>(
  request: FastifyRequest,
  store: (upload: Upload) => Promise<T>,
  { idleMs = defaultIdleMs }: UploadOptions = {},
): Promise<T> {
  refuseOtherSites(request)
  const { raw } = request
  const patience: Patience = (waiting) => patiently(raw, idleMs, waiting)
  try {
    if (request.isMultipart()) return await store(await openForm(request, patience))
    if (request.body === undefined) fail('BAD_REQUEST', 'the body is empty, expected a file')
    return await store({ fileName: '', chunks: bodyChunks(raw, patience), fields: {} })
  } finally {
    if (!raw.readableEnded) drain(raw)
  }
}

/** Reads and drops the rest, even where a reader that nobody waits for any more is still attached. */
function drain(raw: IncomingMessage): void {
  raw.unpipe()
  raw.removeAllListeners('readable')
  raw.resume()
}

/**
 * Any page may send a form to a server on its reader's machine without asking first; browsers say that it is from
 * elsewhere.
 */
function refuseOtherSites(request: FastifyRequest): void {
  if (request.headers['sec-fetch-site'] === 'cross-site') {
    fail('BAD_REQUEST', 'a page of another site may not upload here')
  }
}

/** Waits for bytes of the client. */
type Patience = <T>(waiting: Promise<T>) => Promise<T>

/** Only the wait for the client counts: what is done with its bytes may take as long as it takes. */
async function patiently<T>(raw: IncomingMessage, idleMs: number, waiting: Promise<T>): Promise<T> {
  const timer = setTimeout(() => raw.destroy(), idleMs)
  try {
    return await waiting
  } finally {
    clearTimeout(timer)
  }
}

async function* bodyChunks(raw: IncomingMessage, patience: Patience): AsyncGenerator<Uint8Array> {
  const chunks = raw.iterator({ destroyOnReturn: false })
  for (;;) {
    const next = await patience(chunks.next()).catch((error: unknown) =>
      fail('CANCELLED', 'the upload was cut off', { cause: error }),
    )
    if (next.done) return
    yield next.value as Buffer
  }
}

/** The form up to its file. */
async function openForm(request: FastifyRequest, patience: Patience): Promise<Upload> {
  const parts = request.parts()
  const fields: Record<string, string> = Object.create(null) as Record<string, string>
  const nextFile = () => readToFile(request, parts, fields, patience)
  const file = await nextFile()
  if (!file) return fail('BAD_REQUEST', 'the form has no file', { param: 'file' })
  return {
    fileName: file.filename ?? '',
    fields,
    chunks: formChunks(request, file, patience, async () => {
      if (await nextFile()) {
        fail('BAD_REQUEST', 'the form has a second file, expected one', { param: 'file' })
      }
    }),
  }
}

type Parts = ReturnType<FastifyRequest['parts']>

/** Reads fields up to the next file; null at the end of the form. */
async function readToFile(
  request: FastifyRequest,
  parts: Parts,
  fields: Record<string, string>,
  patience: Patience,
): Promise<MultipartFile | null> {
  for (;;) {
    const next = await patience(parts.next()).catch((error: unknown) => formError(request, error))
    if (next.done) return null
    const part = next.value
    if (part.type === 'file') return part
    if (part.valueTruncated || part.fieldnameTruncated || typeof part.value !== 'string') {
      fail('BAD_REQUEST', `the form's field "${part.fieldname.slice(0, 100)}" is not a short text`)
    }
    if (part.fieldname in fields) {
      fail('BAD_REQUEST', 'the form has this field twice', { param: part.fieldname })
    }
    fields[part.fieldname] = part.value
  }
}

async function* formChunks(
  request: FastifyRequest,
  { file }: MultipartFile,
  patience: Patience,
  afterFile: () => Promise<void>,
): AsyncGenerator<Uint8Array> {
  const chunks = file[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await patience(chunks.next()).catch((error: unknown) =>
        formError(request, error),
      )
      if (next.done) break
      yield next.value as Buffer
    }
  } finally {
    file.destroy()
  }
  await afterFile()
}

function formError(request: FastifyRequest, error: unknown): never {
  if (error instanceof SteerError) throw error
  const { raw } = request
  if (raw.aborted || (raw.destroyed && !raw.readableEnded)) {
    fail('CANCELLED', 'the upload was cut off', { cause: error })
  }
  fail('BAD_REQUEST', `the form is not valid: ${(error as Error).message}`, { cause: error })
}
