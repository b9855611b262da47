/** `/v1/files` as OpenAI's clients use it. */
import type { FastifyInstance } from 'fastify'
import {
  FileFields,
  FilesQuery,
  type File,
  type FileDeleted,
  type FileList,
} from '../../schemas/files.ts'
import { fail } from '../errors.ts'
import type { FileManifest, Files } from '../services/files.ts'
import { parseInput } from './parse-body.ts'
import { acceptUploads, receiveUpload, type UploadOptions } from './upload.ts'

interface ById {
  Params: { id: string }
}

const maxFileNameLength = 255

export const fileRoutes =
  (files: Files, options: UploadOptions = {}) =>
  async (app: FastifyInstance) => {
    await acceptUploads(app)

    app.post('/v1/files', async (request): Promise<File> => {
      if (!request.isMultipart()) {
        fail('UNSUPPORTED_MEDIA_TYPE', 'expected multipart/form-data with file and purpose')
      }
      const file = await receiveUpload(
        request,
        ({ fileName, chunks, fields }) =>
          files.create(chunks, () => ({
            filename: fileName.slice(0, maxFileNameLength) || 'file',
            ...parseInput(FileFields, { ...fields }, 'the form'),
          })),
        options,
      )
      return toFile(file)
    })

    app.get('/v1/files', async (request): Promise<FileList> => {
      const query = parseInput(FilesQuery, request.query, 'the query')
      const all = (await files.list()).filter(
        (file) => query.purpose === undefined || file.purpose === query.purpose,
      )
      return toPage(query.order === 'desc' ? all : all.toReversed(), query)
    })

    app.get<ById>('/v1/files/:id', async (request): Promise<File> =>
      toFile(await files.get(request.params.id)),
    )

    app.get<ById>('/v1/files/:id/content', async (request, reply) => {
      const { file, stream } = await files.content(request.params.id)
      void reply
        .header('content-type', 'application/octet-stream')
        .header('content-length', file.bytes)
        .header('content-disposition', `attachment; filename*=UTF-8''${encode(file.filename)}`)
        .header('x-content-type-options', 'nosniff')
      return reply.send(stream)
    })

    app.delete<ById>('/v1/files/:id', async (request): Promise<FileDeleted> => {
      const { id } = request.params
      await files.delete(id)
      return { id, object: 'file', deleted: true }
    })
  }

function toPage(
  ordered: readonly FileManifest[],
  { after, limit }: { after?: string | undefined; limit: number },
): FileList {
  const last = after === undefined ? -1 : ordered.findIndex((file) => file.id === after)
  if (after !== undefined && last < 0) {
    fail('BAD_REQUEST', `after: no file "${after.slice(0, 100)}" in this list`, { param: 'after' })
  }
  const data = ordered.slice(last + 1, last + 1 + limit).map(toFile)
  return {
    object: 'list',
    data,
    has_more: last + 1 + limit < ordered.length,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
  }
}

function toFile({ id, bytes, createdAt, filename, purpose }: FileManifest): File {
  const created = Math.floor(Date.parse(createdAt) / 1000)
  return { id, object: 'file', bytes, created_at: created, filename, purpose, status: 'processed' }
}

/** RFC 8187; lone halves of surrogate pairs cannot be written. */
const encode = (text: string): string =>
  encodeURIComponent(text.toWellFormed()).replace(
    /['()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  )
