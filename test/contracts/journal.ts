import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Journal, JournalRecord } from '../../src/journal/journal.ts'

export interface JournalMaking {
  /** An empty journal, and what opens it again after it was closed. */
  readonly make: () => Promise<{ readonly journal: Journal; readonly reopen: () => Promise<Journal> }>
}

/** What every Journal must do; each implementation applies it once. */
export function journalContract(name: string, { make }: JournalMaking): void {
  describe(`${name}: a journal`, () => {
    test('is empty at first', async () => {
      const { journal } = await make()
      expect([...journal.read()]).toEqual([])
      journal.close()
    })

    test('keeps what was written, each under its owner, its table and its key', async () => {
      const { journal, reopen } = await make()
      const records = ['a', 'b'].flatMap((owner) =>
        ['tasks', 'jobs'].flatMap((table) =>
          ['1', '2', ''].map((key) => ({ owner, table, key, value: owner + table + key })),
        ),
      )
      for (const one of records) journal.write(one)
      journal.close()
      const again = await reopen()
      expect([...again.read()]).toEqual(records)
      again.close()
    })

    test.each<[string, unknown]>([
      ['text with everything in it', { text: 'ü\0\n"~\u{1f600}\ud800' }],
      ['numbers', [0, -1, 1.5, 2 ** 53, Number.MAX_VALUE]],
      ['numbers that JSON does not know', { a: [Infinity, -Infinity], b: Number.NaN }],
      ['nothing in many forms', [null, '', [], {}, false]],
      ['bytes', { salt: Uint8Array.of(0, 1, 255), none: new Uint8Array() }],
      [
        'maps',
        new Map<unknown, unknown>([
          ['a', { b: new Map([[1, 'x']]) }],
          [2, Uint8Array.of(7)],
        ]),
      ],
      ['sets', { of: new Set(['a', 2n, new Set([null])]) }],
      ['large integers', [0n, -(2n ** 80n)]],
      ['objects that look like what stands for them', [{ '~map': 1 }, { '~bytes': 2n }, { '~object': 1n }]],
      ['odd names of members', JSON.parse('{"__proto__":{"a":1},"constructor":"x","~":1}')],
      ['null itself', null],
    ])('gives back %s', async (_what, value) => {
      const { journal, reopen } = await make()
      journal.write({ owner: '1', table: 't', key: 'k', value })
      journal.close()
      const again = await reopen()
      expect([...again.read()].map((record) => record.value)).toEqual([value])
      again.close()
    })

    test.each<[string, readonly (readonly [key: string, value?: number])[], string]>([
      [
        'in the order in which it came',
        [
          ['b', 1],
          ['a', 2],
          ['c', 3],
        ],
        'b1 a2 c3',
      ],
      [
        'in its place when it is written again',
        [
          ['a', 1],
          ['b', 2],
          ['a', 3],
        ],
        'a3 b2',
      ],
      ['not at all when it is gone', [['a', 1], ['b', 2], ['a']], 'b2'],
      ['last when it was gone meanwhile', [['a', 1], ['b', 2], ['a'], ['a', 3]], 'b2 a3'],
      ['last whatever becomes of it then', [['a', 1], ['b', 2], ['a'], ['a', 3], ['a', 4]], 'b2 a4'],
      ['not at all when it goes twice', [['a', 1], ['a'], ['a', 2], ['a']], ''],
      ['not at all where it never was', [['a']], ''],
    ])('reads what was written %s', async (_how, writes, expected) => {
      // Each write on its own, all at once, and any number of them: it makes no difference.
      for (const flushes of [
        () => true,
        () => false,
        (at: number) => at < 2,
        (at: number) => at % 2 === 0,
        (at: number) => at % 2 === 1,
      ]) {
        const { journal, reopen } = await make()
        for (const [at, [key, value]] of writes.entries()) {
          journal.write({ owner: '1', table: 't', key, value })
          if (flushes(at)) journal.flush()
        }
        expect(shown(journal.read())).toBe(expected)
        journal.close()
        const again = await reopen()
        expect(shown(again.read())).toBe(expected)
        again.close()
      }
    })

    test('goes on after it was opened again', async () => {
      const { journal, reopen } = await make()
      for (const key of ['a', 'b', 'c']) journal.write({ owner: '1', table: 't', key, value: 1 })
      journal.close()
      const again = await reopen()
      again.write({ owner: '1', table: 't', key: 'b', value: 2 })
      again.write({ owner: '1', table: 't', key: 'a', value: undefined })
      again.write({ owner: '2', table: 't', key: 'a', value: 3 })
      again.close()
      const last = await reopen()
      expect(shown(last.read())).toBe('b2 c1 a3')
      last.close()
    })

    test('forgets all of an owner, and nothing of the others', async () => {
      const { journal, reopen } = await make()
      for (const owner of ['a', 'b'])
        for (const key of ['x', 'y']) journal.write({ owner, table: owner + key, key, value: owner })
      journal.forget('a')
      journal.forget('nobody')
      journal.write({ owner: 'a', table: 't', key: 'z', value: 'again' })
      expect(shown(journal.read())).toBe('xb yb zagain')
      journal.close()
      const again = await reopen()
      expect(shown(again.read())).toBe('xb yb zagain')
      again.close()
    })

    test('keeps nothing that is written after it was closed', async () => {
      const { journal, reopen } = await make()
      journal.write({ owner: '1', table: 't', key: 'a', value: 1 })
      journal.close()
      journal.write({ owner: '1', table: 't', key: 'a', value: 2 })
      journal.write({ owner: '1', table: 't', key: 'b', value: 2 })
      journal.flush()
      await nextTurn()
      const again = await reopen()
      expect(shown(again.read())).toBe('a1')
      again.close()
    })

    test('takes what is written while it is read for later', async () => {
      const { journal } = await make()
      for (const key of ['a', 'b']) journal.write({ owner: '1', table: 't', key, value: 1 })
      const seen: string[] = []
      for (const { key } of journal.read()) {
        seen.push(key)
        journal.write({ owner: '1', table: 't', key: `${key}+`, value: 2 })
      }
      expect(seen).toEqual(['a', 'b'])
      expect(shown(journal.read())).toBe('a1 b1 a+2 b+2')
      journal.close()
    })

    test('has room at first, and may be flushed and closed with nothing to do', async () => {
      const { journal } = await make()
      expect(journal.hasRoom()).toBe(true)
      journal.flush()
      await nextTurn()
      journal.close()
      journal.close()
      expect(journal.hasRoom()).toBeTypeOf('boolean')
    })
  })
}

function shown(records: Iterable<JournalRecord>): string {
  return [...records].map(({ key, value }) => `${key}${String(value)}`).join(' ')
}
