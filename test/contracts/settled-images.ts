import { describe, expect, test } from 'vitest'
import { SpoolFullError } from '../../src/image/spool/spool.ts'
import { filled, type SpoolMaking, text } from './spool.ts'

/** Of `abc`. */
const ABC = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'

/** What holds for images that are whole and known by their digests. */
export function settledContract(name: string, { make, bounded, keeping }: SpoolMaking): void {
  describe(`${name}: settled images`, () => {
    test('of the same bytes are kept once, until the last of them is discarded', async () => {
      const { spool, held } = make()
      const [first, second] = [await filled(spool, ['abc']), await filled(spool, ['a', 'bc'])]
      const all = await Promise.all([first, second].map((entry) => spool.settle(entry, ABC)))
      expect(await Promise.all(all.map((entry) => text(entry, 0, 3)))).toEqual(['abc', 'abc'])
      expect(await held()).toBe(1)
      await first.discard()
      await first.discard()
      expect([await text(second, 0, 3), await held()]).toEqual(['abc', 1])
      await second.discard()
      expect(await held()).toBe(0)
      await spool.close()
    })

    test('take the room of one', async () => {
      const spool = bounded(9)
      for (const parts of [['abc'], ['ab', 'c'], ['a', 'bc']])
        await spool.settle(await filled(spool, parts), ABC)
      await expect(spool.create(7)).rejects.toThrow(SpoolFullError)
      await spool.create(6)
      await spool.close()
    })

    test('are found by their digest for as long as anybody needs them', async () => {
      const { spool, held } = make()
      const entry = await filled(spool, ['abc'])
      expect(spool.find(ABC)).toBeUndefined()
      await spool.settle(entry, ABC)
      const found = spool.find(ABC)
      await entry.discard()
      expect([found && (await text(found, 1, 3)), await held()]).toEqual(['bc', 1])
      await found?.discard()
      expect([spool.find(ABC), await held()]).toEqual([undefined, 0])
      await spool.close()
    })

    test('stay what they are when they are settled again, and when others come while the last one goes', async () => {
      const { spool, held } = make()
      const first = await spool.settle(await filled(spool, ['abc']), ABC)
      await spool.settle(first, ABC)
      expect(await held()).toBe(1)
      const second = await filled(spool, ['abc'])
      const [, settled] = await Promise.all([first.discard(), spool.settle(second, ABC)])
      expect([await text(settled, 0, 3), await held()]).toEqual(['abc', 1])
      expect(spool.find(ABC)).toBeDefined()
      await spool.close()
    })

    test('are gone after close like all others, where nothing keeps them', async () => {
      const { spool, held } = make()
      await spool.settle(await filled(spool, ['abc']), ABC)
      await spool.close()
      expect([spool.find(ABC), await held()]).toEqual([undefined, 0])
    })

    test('are not taken from others’ spools', async () => {
      const [{ spool }, { spool: other }] = [make(), make()]
      await expect(spool.settle(await filled(other, ['abc']), ABC)).rejects.toThrow('no entry')
      await Promise.all([spool.close(), other.close()])
    })
  })

  describe(`${name}: images that outlive their spool`, () => {
    const OTHER = 'd'.repeat(64)

    test('are found in the next life, and go with the last who needs them there', async () => {
      const life = { isOver: false }
      const { spool, next, held } = keeping(() => !life.isOver)
      const entry = await spool.settle(await filled(spool, ['abc']), ABC)
      const other = await spool.settle(await filled(spool, ['other']), OTHER)
      life.isOver = true
      await other.discard()
      await spool.close()
      await entry.discard()
      expect(await held()).toBe(2)
      life.isOver = false
      const again = next()
      await again.sweep(new Set([ABC, OTHER]))
      const found = [ABC, ABC, OTHER].map((digest) => again.find(digest)).filter((one) => one !== undefined)
      expect(await Promise.all(found.map((one) => text(one, 0, 5)))).toEqual(['abc', 'abc', 'other'])
      for (const one of found) await one.discard()
      expect([again.find(ABC), await held()]).toEqual([undefined, 0])
      await again.close()
    })

    test('are swept where nobody knows of them, and so is what was not whole', async () => {
      const life = { isOver: false }
      const { spool, next, held } = keeping(() => !life.isOver)
      for (const [digest, one] of [
        [ABC, 'abc'],
        [OTHER, 'other'],
      ] as const)
        await spool.settle(await filled(spool, [one]), digest)
      await filled(spool, ['never settled'])
      life.isOver = true
      await spool.close()
      life.isOver = false
      const again = next()
      await again.sweep(new Set([OTHER, 'e'.repeat(64)]))
      expect([again.find(ABC), again.find('e'.repeat(64)), await held()]).toEqual([undefined, undefined, 1])
      const found = again.find(OTHER)
      expect(found && (await text(found, 0, 5))).toBe('other')
      await again.close()
      expect(await held()).toBe(0)
    })

    test('are the same as those that come in the next life', async () => {
      const life = { isOver: false }
      const { spool, next, held } = keeping(() => !life.isOver)
      await spool.settle(await filled(spool, ['abc']), ABC)
      life.isOver = true
      await spool.close()
      life.isOver = false
      const again = next()
      await again.sweep(new Set([ABC]))
      const entry = await again.settle(await filled(again, ['abc']), ABC)
      expect([await text(entry, 0, 3), await held()]).toEqual(['abc', 1])
      await entry.discard()
      expect(await held()).toBe(0)
      await again.close()
    })

    test('are removed in their own life when nobody needs them', async () => {
      const { spool, held } = keeping(() => true)
      const entry = await spool.settle(await filled(spool, ['abc']), ABC)
      await entry.discard()
      expect(await held()).toBe(0)
      await spool.close()
    })

    test('are there again when they come while the last one goes', async () => {
      const { spool, held } = keeping(() => true)
      let last = await spool.settle(await filled(spool, ['abc']), ABC)
      for (let i = 0; i < 20; i++) {
        const next = await filled(spool, ['abc'])
        await Promise.all([last.discard(), spool.settle(next, ABC)])
        expect(await held()).toBe(1)
        last = next
      }
      await spool.close()
    })
  })
}
