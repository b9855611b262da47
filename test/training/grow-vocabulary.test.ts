import t from 'tap'
import { growVocabulary } from '../../src/training/grow-vocabulary.ts'

t.test('a new token starts as the mean of its parts; rows of no token are zero', async (t) => {
  const rows = Float32Array.from([1, 2, 3, 4, 5, 6])
  const grown = growVocabulary(rows, 5, 2, new Map([[3, [0, 2]]]))
  t.same([...grown], [1, 2, 3, 4, 5, 6, 3, 4, 0, 0])
  t.same([...rows], [1, 2, 3, 4, 5, 6])
})
