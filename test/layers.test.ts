/** The layering of ARCHITECTURE.md: who may import whom, and that no imports go round in a circle. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = fileURLToPath(new URL('..', import.meta.url))

/** A file imports only from a lower rank or its own folder. */
const ranks: Readonly<Record<string, number>> = {
  'src/util': 0,
  'src/grammar': 1,
  'src/graph': 1,
  'src/labels': 1,
  'src/text': 1,
  'src/weights': 1,
  'src/hub': 2,
  'src/ops': 2,
  'src/datasets': 2,
  'src/onnx': 3,
  'src/arch': 3,
  'src/autodiff': 3,
  'src/ort': 4,
  'src/database': 4,
  'src/training': 5,
  'src/engine': 5,
  'src/registry': 5,
  'src/jobs': 5,
  'src/apm': 6,
  'src/services': 7,
  'src/http': 8,
  'src/commands': 9,
  src: 9,
}

interface Import {
  readonly from: string
  readonly to: string
  readonly typeOnly: boolean
}

function sourceFiles(dir: string): string[] {
  return readdirSync(join(root, dir)).flatMap((name) => {
    const path = join(dir, name)
    if (statSync(join(root, path)).isDirectory()) return sourceFiles(path)
    return name.endsWith('.ts') && !name.endsWith('.d.ts') ? [path] : []
  })
}

const STATEMENT = /^(?:import|export)\s(?<clause>[^;'"]*?\sfrom\s+)?['"](?<spec>[^'"]+)['"]/gm
const DYNAMIC = /\bimport\(\s*['"](?<spec>[^'"]+)['"]\s*\)/g

/** Imports of a file; relative ones as paths from the root, packages by their name. */
function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8')
  const found = [...text.matchAll(STATEMENT), ...text.matchAll(DYNAMIC)]
  return found.map(({ 0: statement, groups }) => {
    const spec = groups!.spec!
    const local = spec.startsWith('.')
    const to = local ? relative(root, resolve(root, dirname(file), spec)) : spec
    return { from: file, to, typeOnly: /^(import|export) type\s/.test(statement) }
  })
}

const isLocal = (path: string) => path.startsWith('src/') || path.startsWith('schemas/')

/** `src/arch/blocks/rope.ts` → `src/arch`; root files and schemas → their folder. */
function folderOf(path: string): string {
  const parts = path.split('/')
  return parts.length > 2 ? parts.slice(0, 2).join('/') : parts[0]!
}

/** Plain data that everybody may know. */
const isCommonGround = (path: string) => path === 'src/errors.ts' || folderOf(path) === 'schemas'

const rankOf = (path: string): number | undefined =>
  isCommonGround(path) ? 0 : ranks[folderOf(path)]

const files = [...sourceFiles('src'), ...sourceFiles('schemas')]
const imports = files.flatMap(importsOf)
const show = ({ from, to }: Import) => `${from} imports ${to}`

t.test('the reader of imports sees what there is to see', async (t) => {
  t.ok(files.length > 100, `${files.length} files`)
  const edge = (from: string, to: string) =>
    imports.find((found) => found.from === from && found.to === to)
  t.match(edge('src/training/train-session.ts', 'src/graph/graph.ts'), { typeOnly: true })
  t.match(edge('src/training/train-session.ts', 'src/ort/index.ts'), { typeOnly: false })
  t.match(edge('src/main.ts', 'src/commands/train.ts'), { typeOnly: false }, 'dynamic imports')
  t.match(edge('src/ort/index.ts', 'src/ort/session.ts'), { typeOnly: false }, 're-exports')
})

t.test('every folder of src has a rank', async (t) => {
  const unknown = files.filter((file) => rankOf(file) === undefined)
  t.same(unknown, [])
})

t.test('a file imports only from a lower rank or its own folder', async (t) => {
  const wrong = imports.filter(({ from, to }) => {
    if (!isLocal(to) || folderOf(from) === folderOf(to)) return false
    const [lower, upper] = [rankOf(to)!, rankOf(from)!]
    // Commands and root files join the parts, and each other.
    return !(isCommonGround(to) || lower < upper || (lower === 9 && upper === 9))
  })
  t.same(wrong.map(show), [])
})

t.test('every relative import names a file that exists, with its ending', async (t) => {
  const known = new Set(files)
  const wrong = imports.filter(({ to }) => isLocal(to) && to.endsWith('.ts') && !known.has(to))
  const bare = imports.filter(({ to }) => isLocal(to) && !/\.(d\.)?[a-z]+$/.test(to))
  t.same([...wrong, ...bare].map(show), [])
})

t.test('only src/ort knows how ONNX Runtime is reached', async (t) => {
  const native = /^(koffi|onnxruntime-)/
  const wrong = imports.filter(({ from, to }) => native.test(to) && folderOf(from) !== 'src/ort')
  t.same(wrong.map(show), [])
})

t.test('only src/onnx writes protobuf, only src/text knows the tokenizer packages', async (t) => {
  const wrong = imports.filter(
    ({ from, to }) =>
      (to === 'src/onnx/protobuf.ts' && folderOf(from) !== 'src/onnx') ||
      (to.startsWith('@huggingface/') && folderOf(from) !== 'src/text'),
  )
  t.same(wrong.map(show), [])
})

t.test('source files import nothing from the tests and the scripts', async (t) => {
  const wrong = imports.filter(({ to }) => /^(test|scripts)\//.test(to))
  t.same(wrong.map(show), [])
})

/** The first circle found from a file, as the files in order; depth first. */
function findCycle(edges: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>()
  const path: string[] = []
  const visit = (file: string): string[] | undefined => {
    const at = path.indexOf(file)
    if (at >= 0) return [...path.slice(at), file]
    if (done.has(file)) return undefined
    path.push(file)
    for (const next of edges.get(file) ?? []) {
      const cycle = visit(next)
      if (cycle) return cycle
    }
    path.pop()
    done.add(file)
    return undefined
  }
  for (const file of edges.keys()) {
    const cycle = visit(file)
    if (cycle) return cycle
  }
  return undefined
}

t.test('the search for circles finds one', async (t) => {
  const edges = new Map([
    ['a', ['b']],
    ['b', ['c', 'd']],
    ['c', []],
    ['d', ['b']],
  ])
  t.same(findCycle(edges), ['b', 'd', 'b'])
})

t.test('no imports go round in a circle', async (t) => {
  const edges = new Map(files.map((file) => [file, [] as string[]]))
  for (const { from, to } of imports) if (edges.has(to)) edges.get(from)!.push(to)
  t.equal(findCycle(edges)?.join(' → '), undefined)
})
