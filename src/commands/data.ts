/** `steerlm data import|stats|export|list`: data sets in the data folder. */
import type { DatasetManifest } from '../../schemas/records.ts'
import { datasetStats } from '../datasets/dataset-stats.ts'
import { exportDataset, listDatasets, openDataset } from '../datasets/dataset-store.ts'
import { fileTypes, type FileType } from '../datasets/files/file-row.ts'
import { parseColumnMap, parseWhere } from '../datasets/formats/column-map.ts'
import { importDataset } from '../datasets/import-dataset.ts'
import { recordFormats, type RecordFormat } from '../datasets/readers.ts'
import { fail } from '../errors.ts'
import { helpText, parseFlags, type FlagValues } from '../util/args.ts'
import { readAttributeSet } from './read-attribute-set.ts'
import { modelPlaces } from './workplace.ts'

const flags = {
  format: { type: 'string', choices: recordFormats, help: 'of the file to read or write' },
  name: { type: 'string', help: 'import: name of the new data set' },
  map: {
    type: 'string',
    help: 'import, format columns: prompt=COLUMN,response=COLUMN,humor=COLUMN',
  },
  where: { type: 'string', help: 'import: only rows with these values: lang=en,split=train' },
  attributes: {
    type: 'string',
    help: 'import: set (or file) whose names and ranges the values have to fit',
  },
  'file-type': {
    type: 'string',
    choices: fileTypes,
    help: 'import: unless the name or the content say it',
  },
  out: { type: 'string', help: 'export: file to write' },
  overwrite: { type: 'boolean', default: false, help: 'import: replace a data set of that name' },
  json: { type: 'boolean', default: false, help: 'print the result as JSON' },
  home: { type: 'string', help: 'data folder (STEERLM_HOME, ~/.steerlm)' },
} as const

type Values = FlagValues<typeof flags>

const need = (value: string | undefined, flag: string): string =>
  value ?? fail('BAD_ARGUMENT', `--${flag}: is needed`, { param: flag })

const print = (values: Values, value: unknown, text: string) =>
  console.log(values.json ? JSON.stringify(value) : text)

function importText({ name, rows, kind, quarantined, source }: DatasetManifest): string {
  const { leftOut } = source as { leftOut?: number }
  return [
    `${name}: ${rows} rows (${kind})`,
    leftOut && `${leftOut} left out by --where`,
    quarantined && `${quarantined} not valid, in quarantine.ndjson`,
  ]
    .filter(Boolean)
    .join(', ')
}

type Action = (subject: string, values: Values, home: string) => Promise<void>

const actions: Readonly<Record<string, Action>> = {
  async import(file, values, home) {
    const format = need(values.format, 'format') as RecordFormat
    const name = need(values.name, 'name')
    const { map, where, attributes } = values
    const manifest = await importDataset({
      file,
      format,
      name,
      home,
      overwrite: values.overwrite,
      fileType: values['file-type'] as FileType | undefined,
      map: map === undefined ? undefined : parseColumnMap(map),
      where: where === undefined ? undefined : parseWhere(where),
      attributes: attributes === undefined ? undefined : readAttributeSet(attributes),
    })
    print(values, manifest, importText(manifest))
  },
  async stats(name, values, home) {
    const dataset = await openDataset(name, home)
    const stats = await datasetStats(dataset.conversations())
    print(values, stats, JSON.stringify(stats, null, 2))
  },
  async export(name, values, home) {
    const format = need(values.format, 'format')
    if (format !== 'records' && format !== 'nemo')
      fail('BAD_ARGUMENT', `--format: expected records or nemo, got "${format}"`)
    const file = need(values.out, 'out')
    const written = await exportDataset({ name, format, file, home })
    print(values, written, `${file}: ${written.rows} rows`)
  },
}

export async function run(argv: string[]): Promise<number> {
  const { values, positionals, help } = parseFlags(argv, flags)
  if (help) {
    console.log(
      helpText('steerlm data import FILE|FOLDER | stats NAME | export NAME | list', flags),
    )
    return 0
  }
  const { home } = modelPlaces(values.home)
  const [verb = '', subject] = positionals
  if (verb === 'list' && subject === undefined) {
    const sets = await listDatasets(home)
    print(values, sets, sets.map(({ name, rows, kind }) => `${name}: ${rows} ${kind}`).join('\n'))
    return 0
  }
  const action = Object.hasOwn(actions, verb) ? actions[verb] : undefined
  if (!action || subject === undefined || positionals.length !== 2)
    fail(
      'BAD_ARGUMENT',
      `data: expected import FILE, stats NAME, export NAME or list, got "${positionals.join(' ')}"`,
    )
  await action(subject, values, home)
  return 0
}
