/** `steerlm keys create|list|revoke`: API keys, in the database that the server would use. */
import { Scope } from '../../schemas/keys.ts'
import { openDatabase } from '../database/index.ts'
import { fail } from '../errors.ts'
import { createKeys, type KeyRecord, type Keys } from '../services/keys.ts'
import { helpText, parseFlags, type FlagValues } from '../util/args.ts'
import { modelPlaces } from './workplace.ts'

const flags = {
  name: { type: 'string', help: 'create: what the key is for' },
  scope: {
    type: 'string',
    multiple: true,
    choices: Scope.options,
    help: 'create: what it may do, repeatable',
  },
  days: { type: 'integer', min: 1, max: 36_500, help: 'create: days until it expires' },
  'requests-per-minute': { type: 'integer', min: 1, help: 'create: limit of requests' },
  'tokens-per-minute': { type: 'integer', min: 1, help: 'create: limit of tokens' },
  json: { type: 'boolean', default: false, help: 'print the result as JSON' },
  home: { type: 'string', help: 'data folder (STEERLM_HOME, ~/.steerlm); DATABASE_URL wins' },
} as const

type Values = FlagValues<typeof flags>
type Action = (keys: Keys, values: Values, subject: string | undefined) => Promise<void>

const print = (values: Values, value: unknown, text: string) =>
  console.log(values.json ? JSON.stringify(value) : text)

const dayMs = 24 * 60 * 60 * 1000

const actions: Readonly<Record<string, Action>> = {
  async create(keys, values) {
    const { name, scope, days } = values
    if (!name) fail('BAD_ARGUMENT', '--name: is needed', { param: '--name' })
    if (scope.length === 0) {
      const choices = Scope.options.join(', ')
      fail('BAD_ARGUMENT', `--scope: is needed, of ${choices}`, { param: '--scope' })
    }
    const { key, record } = await keys.create({
      name,
      scopes: scope as Scope[],
      expiresAt: days === undefined ? null : new Date(Date.now() + days * dayMs),
      requestsPerMinute: values['requests-per-minute'],
      tokensPerMinute: values['tokens-per-minute'],
    })
    print(values, { ...record, key }, `${key}\nIt is shown this once. Its id is ${record.id}.`)
  },
  async list(keys, values) {
    const records = await keys.list()
    print(values, records, records.map(describe).join('\n') || 'no keys')
  },
  async revoke(keys, values, id) {
    if (id === undefined) fail('BAD_ARGUMENT', 'keys revoke: expected the id of a key')
    const record = await keys.revoke(id)
    print(values, record, `revoked ${describe(record)}`)
  },
}

/** Returns the exit code. */
export async function run(argv: string[]): Promise<number> {
  const { values, positionals, help } = parseFlags(argv, flags)
  if (help) {
    console.log(helpText('steerlm keys create | list | revoke ID', flags))
    return 0
  }
  const [verb = '', subject, ...rest] = positionals
  const action = Object.hasOwn(actions, verb) ? actions[verb] : undefined
  if (!action || rest.length > 0 || (subject !== undefined && verb !== 'revoke')) {
    const got = positionals.join(' ')
    fail('BAD_ARGUMENT', `keys: expected create, list or revoke ID, got "${got}"`)
  }
  const { home } = modelPlaces(values.home)
  const database = await openDatabase({ home, url: process.env.DATABASE_URL })
  try {
    await action(createKeys({ db: database.db }), values, subject)
  } finally {
    await database.close()
  }
  return 0
}

function describe({ id, name, prefix, scopes, expiresAt, revokedAt }: KeyRecord): string {
  const state = revokedAt
    ? `revoked ${revokedAt.toISOString()}`
    : expiresAt && `expires ${expiresAt.toISOString()}`
  return [id, `${prefix}…`, name, scopes.join(','), state].filter(Boolean).join('  ')
}
