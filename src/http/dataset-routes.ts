/** `/v1/datasets`: upload, list, look into, download, delete. */
import { pipeline, type Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import {
  DatasetName,
  DatasetUpload,
  DownloadQuery,
  PageQuery,
  type Dataset,
  type DatasetDeleted,
  type DatasetList,
  type DatasetRows,
  type DatasetStatistics,
  type QuarantineRows,
} from '../../schemas/datasets.ts'
import { parseColumnMap, parseWhere } from '../datasets/formats/column-map.ts'
import { fail } from '../errors.ts'
import { attributeSet } from '../labels/attribute-sets.ts'
import type { Datasets, StoredDataset } from '../services/datasets.ts'
import type { ByteChunks } from '../util/byte-chunks.ts'
import { parseInput } from './parse-body.ts'
import { acceptUploads, receiveUpload, type Upload, type UploadOptions } from './upload.ts'

interface ByName {
  Params: { name: string }
}

export const datasetRoutes =
  (datasets: Datasets, options: UploadOptions = {}) =>
  async (app: FastifyInstance) => {
    await acceptUploads(app)

    app.post('/v1/datasets', async (request, reply): Promise<Dataset> => {
      const stored = await receiveUpload(
        request,
        (upload) => storeUpload(datasets, request, upload),
        options,
      )
      void reply.code(201).header('location', `/v1/datasets/${stored.manifest.name}`)
      return toDataset(stored)
    })

    app.get('/v1/datasets', async (): Promise<DatasetList> => {
      const data = (await datasets.list()).map(toDataset)
      return { object: 'list', data, has_more: false }
    })

    app.get<ByName>('/v1/datasets/:name', async (request): Promise<Dataset> =>
      toDataset(await datasets.get(nameOf(request))),
    )

    app.get<ByName>('/v1/datasets/:name/rows', async (request): Promise<DatasetRows> => {
      const page = parseInput(PageQuery, request.query, 'the query')
      const { data, total, hasMore } = await datasets.rows(nameOf(request), page)
      const { offset } = page
      return {
        object: 'list',
        data: data as Record<string, unknown>[],
        offset,
        total,
        has_more: hasMore,
      }
    })

    app.get<ByName>('/v1/datasets/:name/quarantine', async (request): Promise<QuarantineRows> => {
      const page = parseInput(PageQuery, request.query, 'the query')
      const { data, total, hasMore } = await datasets.quarantine(nameOf(request), page)
      const rows = data.map(({ problem, ...row }) => ({ ...row, reason: problem }))
      return { object: 'list', data: rows, offset: page.offset, total, has_more: hasMore }
    })

    app.get<ByName>('/v1/datasets/:name/stats', async (request): Promise<DatasetStatistics> =>
      toStatistics(await datasets.stats(nameOf(request))),
    )

    app.get<ByName>('/v1/datasets/:name/download', async (request, reply) => {
      const { format } = parseInput(DownloadQuery, request.query, 'the query')
      const { fileName, bytes, stream } = await datasets.download(nameOf(request), format)
      void reply
        .header('content-type', 'application/x-ndjson')
        .header('content-disposition', `attachment; filename="${fileName}"`)
      return sendStream(request, reply, stream, bytes)
    })

    app.delete<ByName>('/v1/datasets/:name', async (request): Promise<DatasetDeleted> => {
      const name = nameOf(request)
      await datasets.delete(name)
      return { object: 'dataset', name, deleted: true }
    })
  }

const nameOf = (request: FastifyRequest<ByName>): string =>
  parseInput(DatasetName, request.params.name, 'the name of the data set')

/** The file's name, its gzip or not, does not matter: what begins as gzip is gunzipped. */
async function storeUpload(
  datasets: Datasets,
  request: FastifyRequest,
  { fields, fileName, chunks }: Upload,
): Promise<StoredDataset> {
  const given = { ...(request.query as object), ...fields }
  const query = parseInput(DatasetUpload, given, 'the query')
  const isDeclared =
    /\bgzip\b/.test(request.headers['content-encoding'] ?? '') ||
    /^application\/(x-)?gzip\b/.test(request.headers['content-type'] ?? '')
  return datasets.importChunks({
    ...importOptions(query),
    chunks: refuseLateFields(chunks, fields),
    fileName: fileName || (isDeclared ? 'upload.gz' : 'upload'),
  })
}

const importOptions = (query: DatasetUpload) => ({
  name: query.name,
  format: query.format,
  overwrite: query.overwrite,
  fileType: query.file_type,
  map: query.map === undefined ? undefined : parseColumnMap(query.map),
  where: query.where === undefined ? undefined : parseWhere(query.where),
  attributes: query.attributes === undefined ? undefined : attributeSet(query.attributes),
})

/** A setting that comes after the file could only be heeded by keeping the whole file first. */
async function* refuseLateFields(
  chunks: ByteChunks,
  fields: Record<string, string>,
): AsyncGenerator<Uint8Array> {
  const before = new Set(Object.keys(fields))
  yield* chunks
  const late = Object.keys(fields).find((name) => !before.has(name))
  if (late !== undefined) {
    fail('BAD_REQUEST', `${late}: expected before the file in the form`, { param: late })
  }
}

/** Compressed for clients that take it. */
function sendStream(
  request: FastifyRequest,
  reply: FastifyReply,
  stream: Readable,
  bytes: number | null,
): FastifyReply {
  void reply.header('vary', 'accept-encoding').header('x-content-type-options', 'nosniff')
  if (acceptsGzip(request)) {
    const gzip = createGzip({ level: 1 })
    pipeline(stream, gzip, () => {})
    void reply.header('content-encoding', 'gzip')
    return reply.send(gzip)
  }
  if (bytes !== null) void reply.header('content-length', bytes)
  return reply.send(stream)
}

const acceptsGzip = (request: FastifyRequest): boolean =>
  /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/.test(String(request.headers['accept-encoding'] ?? ''))

function toDataset({ manifest, bytes }: StoredDataset): Dataset {
  const { name, kind, rows, sha256, quarantined, attributes, source, createdAt } = manifest
  return {
    object: 'dataset',
    name,
    kind,
    rows,
    sha256,
    bytes,
    quarantined,
    attributes,
    source,
    created_at: Math.floor(Date.parse(createdAt) / 1000),
  }
}

function toStatistics({
  dataset,
  stats,
}: Awaited<ReturnType<Datasets['stats']>>): DatasetStatistics {
  const attributes = Object.entries(stats.attributes).map(([name, { otherLevels, ...each }]) => [
    name,
    { ...each, other_levels: otherLevels },
  ])
  return {
    object: 'dataset.stats',
    name: dataset.manifest.name,
    sha256: dataset.manifest.sha256,
    conversations: stats.conversations,
    assistant_turns: stats.assistantTurns,
    rated_turns: stats.ratedTurns,
    attributes: Object.fromEntries(attributes) as DatasetStatistics['attributes'],
    correlations: stats.correlations,
    reply_characters: stats.replyCharacters,
    messages_per_conversation: stats.messagesPerConversation,
  }
}
