/**
 * Checkpoints of strangers: whatever is wrong with a folder, importing it and loading it end with one error that names
 * the file and the tensor or field, soon and in little memory.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cp, open, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../../src/commands/import.ts'
import { createEngine } from '../../src/engine/index.ts'
import { SteerError } from '../../src/errors.ts'
import { createTinyHome } from '../fixtures/tiny-home.ts'

type Header = Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>

const file = 'model.safetensors'
const norm = 'model.norm.weight'

/** Takes the file apart, lets `change` alter its header, and puts it together again. */
async function rewriteHeader(dir: string, change: (header: Header) => void): Promise<void> {
  const bytes = readFileSync(join(dir, file))
  const length = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Header
  change(header)
  const text = Buffer.from(JSON.stringify(header))
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(BigInt(text.length))
  await writeFile(join(dir, file), Buffer.concat([size, text, bytes.subarray(8 + length)]))
}

async function statedLength(dir: string, length: bigint): Promise<void> {
  const bytes = readFileSync(join(dir, file))
  bytes.writeBigUInt64LE(length, 0)
  await writeFile(join(dir, file), bytes)
}

async function configure(dir: string, changes: object): Promise<void> {
  const path = join(dir, 'config.json')
  await writeFile(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...changes }))
}

const shards = (map: object) => async (dir: string) => {
  await rm(join(dir, file))
  await writeFile(join(dir, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }))
}

/** A file of that many bytes that takes no space. */
async function sparse(path: string, bytes: number): Promise<void> {
  const handle = await open(path, 'w')
  await handle.truncate(bytes)
  await handle.close()
}

const pipe = (name: string) => async (dir: string) => {
  await rm(join(dir, name))
  execFileSync('mkfifo', [join(dir, name)])
}

const cases: [what: string, spoil: (dir: string) => Promise<void>, detail: RegExp][] = [
  ['no weights', (dir) => rm(join(dir, file)), /neither model\.safetensors nor/],
  ['an empty file', (dir) => writeFile(join(dir, file), ''), /model\.safetensors: expected at least 8 bytes/], // prettier-ignore
  ['a cut file', async (dir) => writeFile(join(dir, file), readFileSync(join(dir, file)).subarray(0, -40)), /model\.safetensors: the tensors end at byte/], // prettier-ignore
  ['a cut header', async (dir) => writeFile(join(dir, file), readFileSync(join(dir, file)).subarray(0, 100)), /model\.safetensors: a header of \d+ bytes does not fit/], // prettier-ignore
  ['a header of 2⁶³ bytes', (dir) => statedLength(dir, 1n << 63n), /a header of 9223372036854775808 bytes/], // prettier-ignore
  ['a header of 99 MB that is not there', (dir) => statedLength(dir, 99_000_000n), /does not fit the file/], // prettier-ignore
  [
    'overlapping tensors',
    (dir) =>
      rewriteHeader(dir, (header) => {
        const tensors = Object.values(header).filter((entry) => 'data_offsets' in entry)
        const last = tensors.toSorted((a, b) => b.data_offsets[0] - a.data_offsets[0])[0]!
        last.data_offsets = last.data_offsets.map((at) => at - 4) as [number, number]
      }),
    /model\.safetensors: tensor ".*": overlaps another tensor/,
  ],
  ['a shape that lies', (dir) => rewriteHeader(dir, (header) => (header[norm]!.shape = [1 << 20])), /tensor "model\.norm\.weight": expected 4194304 bytes for F32/], // prettier-ignore
  ['a shape of 2⁵³ numbers', (dir) => rewriteHeader(dir, (header) => (header[norm]!.shape = [2 ** 27, 2 ** 27])), /tensor "model\.norm\.weight": .*(too large|expected)/], // prettier-ignore
  ['offsets beyond the file', (dir) => rewriteHeader(dir, (header) => (header[norm]!.data_offsets = [2 ** 40, 2 ** 40 + 128])), /tensor "model\.norm\.weight"/], // prettier-ignore
  ['an unknown type', (dir) => rewriteHeader(dir, (header) => (header[norm]!.dtype = 'F4')), /tensor "model\.norm\.weight": dtype/], // prettier-ignore
  [
    'a tensor under another name',
    (dir) =>
      rewriteHeader(dir, (header) => {
        header['model.extra'] = header[norm]!
        delete header[norm]
      }),
    /tensor "model\.norm\.weight" is missing/,
  ],
  ['a tensor of another shape', (dir) => configure(dir, { hidden_size: 64 }), /tensor "model\.embed_tokens\.weight": expected \[259,64\], file has \[259,32\] \(model\.safetensors\)/], // prettier-ignore
  ['more layers than there are', (dir) => configure(dir, { num_hidden_layers: 512 }), /tensor "model\.layers\.2\..*" is missing/], // prettier-ignore
  ['a million layers', (dir) => configure(dir, { num_hidden_layers: 1e6 }), /config\.json: num_hidden_layers/], // prettier-ignore
  ['a hidden size of 2³¹', (dir) => configure(dir, { hidden_size: 2 ** 31 }), /config\.json: hidden_size/], // prettier-ignore
  [
    'a vocabulary of 10¹⁸',
    (dir) => configure(dir, { vocab_size: 1e18 }),
    /config\.json: vocab_size/,
  ],
  ['a negative number of heads', (dir) => configure(dir, { num_attention_heads: -4 }), /config\.json: num_attention_heads/], // prettier-ignore
  ['half a head', (dir) => configure(dir, { num_attention_heads: 2.5 }), /config\.json: num_attention_heads/], // prettier-ignore
  ['a context of 2⁴⁰', (dir) => configure(dir, { max_position_embeddings: 2 ** 40 }), /config\.json: max_position_embeddings/], // prettier-ignore
  ['a text where a number belongs', (dir) => configure(dir, { rms_norm_eps: 'x' }), /config\.json: rms_norm_eps/], // prettier-ignore
  ['a config that is a list', (dir) => writeFile(join(dir, 'config.json'), '[]'), /config\.json: /],
  ['a config of 8 GB', (dir) => sparse(join(dir, 'config.json'), 8e9), /config\.json: 8000000000 bytes; at most/], // prettier-ignore
  ['a config that is a pipe', pipe('config.json'), /config\.json: expected a file/],
  [
    'a config that never ends',
    async (dir) => {
      await rm(join(dir, 'config.json'))
      await symlink('/dev/zero', join(dir, 'config.json'))
    },
    /config\.json: expected a file/,
  ],
  ['weights that are a pipe', pipe(file), /model\.safetensors: expected a file/],
  ['a shard outside', shards({ [norm]: '../../secret.safetensors' }), /index\.json: expected a \.safetensors file of the folder, got "\.\.\/\.\.\/secret\.safetensors"/], // prettier-ignore
  ['an absolute shard', shards({ [norm]: '/etc/passwd' }), /expected a \.safetensors file of the folder, got "\/etc\/passwd"/], // prettier-ignore
  ['a shard with a backslash', shards({ [norm]: '..\\x.safetensors' }), /expected a \.safetensors file of the folder/], // prettier-ignore
  ['a shard that is not there', shards({ [norm]: 'a.safetensors' }), /a\.safetensors: there is no such file/], // prettier-ignore
  ['5000 shards', shards(Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`t${i}`, `${i}.safetensors`]))), /expected 1 to 1024 shards, got 5000/], // prettier-ignore
  [
    'an index that is a pipe',
    async (dir) => {
      await shards({})(dir)
      await pipe('model.safetensors.index.json')(dir)
    },
    /index\.json: expected a file/,
  ],
]

const tokenizers: [what: string, spoil: (dir: string) => Promise<void>, detail: RegExp][] = [
  ['a tokenizer that is a pipe', pipe('tokenizer.json'), /tokenizer\.json: expected a file/],
  ['a tokenizer of 8 GB', (dir) => sparse(join(dir, 'tokenizer.json'), 8e9), /tokenizer\.json: 8000000000 bytes/], // prettier-ignore
]

const failure = async (work: Promise<unknown>): Promise<SteerError> =>
  work.then(
    () => new SteerError('INTERNAL', 'nothing failed'),
    (error: unknown) =>
      error instanceof SteerError ? error : new SteerError('INTERNAL', String(error)),
  )

t.test('whatever is wrong with a folder is said by name', async (t) => {
  const tiny = createTinyHome(t.testdir())
  const good = await tiny.model('good')
  const before = process.memoryUsage.rss()
  for (const [what, spoil, detail] of [...cases, ...tokenizers]) {
    await t.test(what, async (t) => {
      const dir = join(tiny.home, 'spoilt')
      await rm(dir, { recursive: true, force: true })
      await cp(good, dir, { recursive: true })
      await spoil(dir)
      const imported = await failure(run([dir, '--name', 'new', '--home', tiny.home]))
      t.equal(imported.status, 400, imported.detail)
      t.match(imported.detail, detail)
      t.notMatch(imported.detail, /\n/)
      t.ok(imported.detail.length < 1000)
      if (tokenizers.some(([name]) => name === what)) return
      const loaded = await failure(createEngine({ modelDir: dir, slots: 1 }))
      t.equal(loaded.status, 400, loaded.detail)
      t.match(loaded.detail, detail)
    })
  }
  t.same(await readdir(join(tiny.home, 'models')), ['good'])
  const grown = process.memoryUsage.rss() - before
  t.ok(grown < 400e6, `memory grew by ${Math.round(grown / 1e6)} MB`)
})
