import t from 'tap'
import { createTapReader, type FileResult } from '../../scripts/tap-results.ts'

/** What the reader makes of a whole stream. */
function read(stream: string) {
  const reader = createTapReader()
  const files: FileResult[] = []
  for (const line of stream.split('\n')) {
    const file = reader.push(line)
    if (file) files.push(file)
  }
  return { files, counts: reader.finish() }
}

t.test(
  'tests at the top of the files are counted, assertions and inner tests are not',
  async (t) => {
    const { files, counts } = read(`
TAP version 14
1..2
# Subtest: test/a.test.ts
    # Subtest: first
        ok 1 - an assertion
        # Subtest: inner
            ok 1 - another
            1..1
        ok 2 - inner # time=1ms
        1..2
    ok 1 - first # time=3.1ms
    ok 2 - second # SKIP no data here
    1..2
ok 1 - test/a.test.ts # time=20ms
# Subtest: test/b.test.ts
    ok 1 - third # time=2ms {
    1..1
ok 2 - test/b.test.ts # time=1.2s
`)
    t.same(counts, { passed: 2, failed: 0, skipped: 1 })
    t.same(
      files.map(({ name, ok, seconds }) => ({ name, ok, seconds })),
      [
        { name: 'test/a.test.ts', ok: true, seconds: 0.02 },
        { name: 'test/b.test.ts', ok: true, seconds: 1.2 },
      ],
    )
  },
)

t.test('a failure is reported with its diagnostics and the tests around it', async (t) => {
  const { files, counts } = read(`
1..1
# Subtest: test/a.test.ts
    # Subtest: outer
        # Subtest: inner
            ok 1 - fine
            not ok 2 - one is two
              ---
              diff: |
                -2
                +1
              ...
            ok 3 - fine again
            1..3
        not ok 1 - inner # time=2ms
          ---
          at: somewhere
          ...
        1..1
    not ok 1 - outer # time=3ms
      ---
      at: somewhere else
      ...
    1..1
not ok 1 - test/a.test.ts # time=20ms
`)
  t.same(counts, { passed: 0, failed: 1, skipped: 0 })
  t.same(files[0]!.failures, ['outer'])
  t.same(
    files[0]!.report.map((line) => line.trim()),
    [
      'not ok 2 - one is two',
      '---',
      'diff: |',
      '-2',
      '+1',
      '...',
      'not ok 1 - inner # time=2ms',
      'not ok 1 - outer # time=3ms',
      'not ok 1 - test/a.test.ts # time=20ms',
    ],
  )
})

t.test('a file that dies outside its tests, or holds none, is one failure', async (t) => {
  const { files, counts } = read(`
1..3
# Subtest: test/dies.test.ts
    ok 1 - went well # time=1ms
    1..1
not ok 1 - test/dies.test.ts # time=9ms
# Subtest: test/empty.test.ts
    1..0 # no tests found
ok 2 - test/empty.test.ts # SKIP no tests found
ok 3 - test/later.test.ts # SKIP only on Windows
`)
  t.same(counts, { passed: 1, failed: 2, skipped: 0 })
  t.same(
    files.map(({ failures }) => failures),
    [['failed outside its tests'], ['no tests found'], []],
  )
})

t.test('files that never ended count as failed', async (t) => {
  t.same(read('1..3\nok 1 - test/a.test.ts # time=1ms').counts.failed, 2)
})

t.test('a bail-out is a failure', async (t) => {
  t.same(read('Bail out! no more').counts, { passed: 0, failed: 1, skipped: 0 })
})

t.test('a failed test that is marked as to do does not fail the run', async (t) => {
  const { counts } = read('    not ok 1 - later # TODO\nok 1 - test/a.test.ts # time=1ms\n1..1')
  t.same(counts, { passed: 0, failed: 0, skipped: 1 })
})

t.test('output of a test that looks like a result counts once', async (t) => {
  const { counts } = read(`
    not ok 1 - printed
    ok 1 - real # time=2ms
    ok 1 - real # time=2ms
not ok 1 - test/a.test.ts # time=1ms
1..1`)
  t.same(counts, { passed: 1, failed: 1, skipped: 0 })
})
