import t from 'tap'
import { helpText, parseFlags } from '../../src/util/args.ts'

const flags = {
  name: { type: 'string', required: true, help: 'what it is called' },
  kind: { type: 'string', choices: ['a', 'b'], help: 'which one' },
  steps: { type: 'integer', default: 5, min: 1, max: 100, help: 'how many' },
  rate: { type: 'number', help: 'how fast' },
  batch: { type: 'integer', multiple: true, min: 1, help: 'sizes' },
  dry: { type: 'boolean', default: false, help: 'do nothing' },
} as const

const parse = (...argv: string[]) => parseFlags(argv, flags)

t.test('values are typed, absent flags have their default or are undefined', async (t) => {
  const { values, positionals, help } = parse(
    'first',
    '--name',
    'x',
    '--rate',
    '1e-3',
    '--dry',
    'second',
  )
  t.same(values, {
    name: 'x',
    kind: undefined,
    steps: 5,
    rate: 0.001,
    batch: [],
    dry: true,
  })
  t.same(positionals, ['first', 'second'])
  t.equal(help, false)
  // The types say the same: these lines compile only if they do.
  const texts: [string, string | undefined] = [values.name, values.kind]
  const numbers: [number, number | undefined, number[], boolean] = [
    values.steps,
    values.rate,
    values.batch,
    values.dry,
  ]
  t.equal(texts.length + numbers.length, 6)
})

t.test('a repeatable flag collects its values in order', async (t) => {
  t.same(parse('--name', 'x', '--batch', '4', '--batch=1').values.batch, [4, 1])
})

t.test('negative and signed numbers can be given with an equals sign', async (t) => {
  t.equal(parse('--name', 'x', '--rate=-2.5').values.rate, -2.5)
})

t.test('each wrong argument is BAD_ARGUMENT with what was expected', async (t) => {
  const cases: [string[], RegExp, string | null][] = [
    [[], /^--name: is needed: what it is called$/, 'name'],
    [['--name', 'x', '--kind', 'c'], /^--kind: expected one of a, b, got "c"$/, 'kind'],
    [['--name', 'x', '--steps', '2.5'], /^--steps: expected a whole number, got "2.5"$/, 'steps'],
    [['--name', 'x', '--steps', '0'], /^--steps: expected at least 1, got 0$/, 'steps'],
    [['--name', 'x', '--steps', '101'], /^--steps: expected at most 100, got 101$/, 'steps'],
    [['--name', 'x', '--rate', 'NaN'], /^--rate: expected a number, got "NaN"$/, 'rate'],
    [['--name', 'x', '--rate', 'Infinity'], /^--rate: expected a number/, 'rate'],
    [['--name', 'x', '--rate', ''], /^--rate: expected a number, got ""$/, 'rate'],
    [
      ['--name', 'x', '--batch', '2', '--batch', 'many'],
      /^--batch: expected a whole number/,
      'batch',
    ],
    [['--name', 'x', '--unknown'], /'--unknown'; --help lists the flags$/, null],
    [['--name'], /--name.*; --help lists the flags$/, null],
    [['--name', 'x', '--dry=yes'], /--dry.*; --help lists the flags$/, null],
  ]
  for (const [argv, detail, param] of cases)
    t.throws(() => parse(...argv), { code: 'BAD_ARGUMENT', detail, param }, argv.join(' '))
})

t.test('with --help required flags may be absent', async (t) => {
  t.equal(parse('--help').help, true)
})

t.test('the help lists every flag with its choices and default', async (t) => {
  t.equal(
    helpText('steerlm test', flags),
    [
      'usage: steerlm test',
      '  --name   what it is called',
      '  --kind   which one: a | b',
      '  --steps  how many (default 5)',
      '  --rate   how fast',
      '  --batch  sizes',
      '  --dry    do nothing (default false)',
    ].join('\n'),
  )
})

t.test('what the parser complains of is one line', async (t) => {
  const line = (...argv: string[]) => {
    try {
      parse('--name', 'x', ...argv)
    } catch (error) {
      return (error as { detail: string }).detail
    }
    return 'no error'
  }
  t.equal(line('--colour'), "Unknown option '--colour'; --help lists the flags")
  t.equal(
    line('--rate', '-1'),
    'Option \'--rate\' argument is ambiguous: a value that starts with a dash needs "="; --help lists the flags',
  )
  for (const text of [line('--rate'), line('--dry=yes')]) t.match(text, /^.*flags$/)
})

t.test('a flag named like a property of every object is unknown', async (t) => {
  t.throws(() => parse('--name', 'x', '--constructor', 'y'), {
    code: 'BAD_ARGUMENT',
    detail: /Unknown option '--constructor'/,
  })
})

t.test('what follows -- is no flag', async (t) => {
  t.same(parse('--name', 'x', '--', '--steps').positionals, ['--steps'])
})
