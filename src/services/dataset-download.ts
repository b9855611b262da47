/** A data set as a stream of bytes. */
import { Readable } from 'node:stream'
import { ConversationRecord } from '../../schemas/records.ts'
import { labelOrder } from '../datasets/dataset-store.ts'
import { toNemoRecord } from '../datasets/nemo-format.ts'
import { fail } from '../errors.ts'
import { readNdjson } from '../util/ndjson.ts'
import { openRecords, streamFile } from './stored-file.ts'

export const downloadFormats = ['records', 'nemo'] as const
export type DownloadFormat = (typeof downloadFormats)[number]

export interface Download {
  fileName: string
  /** Known where the file is sent as it lies. */
  bytes: number | null
  /** Has to be read to its end or destroyed. */
  stream: Readable
}

/** Fails DATASET_NOT_FOUND, and BAD_REQUEST when the set cannot be written in that format. */
export async function downloadDataset(
  name: string,
  home: string,
  format: DownloadFormat,
): Promise<Download> {
  const { dataset, file } = await openRecords(name, home)
  const { kind, attributes } = dataset.manifest
  if (format === 'records') {
    const { size } = await file.stat()
    return { fileName: `${name}.ndjson`, bytes: size, stream: streamFile(file) }
  }
  if (kind === 'tokens') {
    await file.close()
    fail('BAD_REQUEST', `data set "${name}" holds tokens, which the format nemo cannot hold`, {
      param: 'format',
    })
  }
  const stored = streamFile(file)
  const stream = Readable.from(nemoChunks(stored, labelOrder(Object.keys(attributes))))
  // A stream that is destroyed before it was read never enters the generator.
  stream.once('close', () => stored.destroy())
  return { fileName: `${name}.nemo.jsonl`, bytes: null, stream }
}

async function* nemoChunks(
  stored: Readable,
  order: ReturnType<typeof labelOrder>,
): AsyncGenerator<Uint8Array> {
  let text = ''
  for await (const row of readNdjson(stored)) {
    if ('problem' in row) fail('BAD_FILE', `line ${row.line}: ${row.problem}`)
    text += JSON.stringify(toNemoRecord(ConversationRecord.parse(row.value), order)) + '\n'
    if (text.length > 1 << 16) {
      yield Buffer.from(text)
      text = ''
    }
  }
  if (text !== '') yield Buffer.from(text)
}
