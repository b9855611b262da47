/** Texts of `eval perplexity`: a plain file, an NDJSON file of texts, or a stored data set. */
import { readFile, stat } from 'node:fs/promises'
import { extname } from 'node:path'
import { openDataset, type Dataset } from '../datasets/dataset-store.ts'
import { fail } from '../errors.ts'
import type { PerplexityText } from '../services/evaluation/perplexity.ts'
import { loadTokenizer, type Tokenizer } from '../text/tokenizer.ts'
import { readNdjson } from '../util/ndjson.ts'
import { conditionedRows, rawRows } from './training-rows.ts'
import { openModelFolder } from './workplace.ts'

/** Node's strings end here, and so does what a tokenizer takes at once. */
const MAX_TEXT_BYTES = 256 * 1024 * 1024

/** A file's texts as strings; undefined where there is no such file. */
async function readTexts(path: string): Promise<string[] | undefined> {
  const found = await stat(path).catch(() => undefined)
  if (!found?.isFile()) return undefined
  if (['.jsonl', '.ndjson'].includes(extname(path))) return readTextRows(path)
  if (found.size > MAX_TEXT_BYTES)
    fail('BAD_FILE', `${path}: ${found.size} bytes; at most ${MAX_TEXT_BYTES} are read`)
  return [await readFile(path, 'utf8')]
}

async function readTextRows(path: string): Promise<string[]> {
  const texts: string[] = []
  for await (const row of readNdjson(path)) {
    const text: unknown =
      'problem' in row ? undefined : (row.value as { text?: unknown } | null)?.text
    if (typeof text !== 'string') fail('BAD_RECORD', `${path}:${row.line}: expected {"text": "…"}`)
    texts.push(text)
  }
  return texts
}

/** Whole texts, with what the tokenizer puts before them; every token but the first counts. */
function encodeTexts(texts: readonly string[], tokenizer: Tokenizer): PerplexityText[] {
  return texts.map((text) => {
    const tokens = tokenizer.encode(text)
    return { tokens, counted: new Uint8Array(tokens.length).fill(1) }
  })
}

/** Conversations as in training, label lines included: the replies count. Token rows as they are. */
async function datasetTexts(
  name: string,
  home: string,
  modelDir: string,
): Promise<PerplexityText[]> {
  const dataset = await openDataset(name, home)
  const isTokens = dataset.manifest.kind === 'tokens'
  const rows = isTokens ? await rawRows(dataset) : await replyRows(dataset, modelDir)
  return rows.map(({ tokens, lossMask }) => ({ tokens, counted: lossMask }))
}

const replyRows = async (dataset: Dataset, modelDir: string) => {
  const { template } = await openModelFolder(modelDir)
  return conditionedRows(dataset, template, { labelDropout: 0, seed: 1 })
}

/** `data` is a file if there is one of that name, else a data set. */
export async function perplexityTexts(
  data: string,
  home: string,
  modelDir: string,
): Promise<PerplexityText[]> {
  const texts = await readTexts(data)
  if (texts) return encodeTexts(texts, await loadTokenizer(modelDir))
  return datasetTexts(data, home, modelDir)
}
