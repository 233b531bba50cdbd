import { describe, expect, test } from 'vitest'
import { type Spool, type SpoolEntry, SpoolFullError } from '../../src/image/spool/spool.ts'

export interface SpoolUnderTest {
  readonly spool: Spool
  /** How many images it holds now, as far as anybody else can see. */
  readonly held: () => number | Promise<number>
}

export interface SpoolMaking {
  readonly make: () => SpoolUnderTest
  /** A spool with room for that many bytes. */
  readonly bounded: (capacityBytes: number) => Spool
  /** A spool whose settled images outlive it while `mayRemove` says no, and the same one in its next life. */
  readonly keeping: (mayRemove: () => boolean) => SpoolUnderTest & { readonly next: () => Spool }
}

/** What every Spool must do; each implementation applies it once. */
export function spoolContract(name: string, { make, bounded }: SpoolMaking): void {
  describe(`${name}: a spool`, () => {
    test('gives back what was appended, in that order', async () => {
      const { spool } = make()
      const entry = await filled(spool, ['one ', '', 'two ', 'three'])
      expect(await text(entry, 0, 13)).toBe('one two three')
      await spool.close()
    })

    test.each([
      ['the first byte', 0, 1, '0'],
      ['the last byte', 8, 9, '8'],
      ['across chunks', 2, 7, '23456'],
      ['exactly one chunk', 3, 6, '345'],
      ['nothing', 4, 4, ''],
      ['nothing at the end', 9, 9, ''],
    ])('reads a range: %s', async (_what, start, end, expected) => {
      const { spool } = make()
      const entry = await filled(spool, ['012', '345', '678'])
      expect(await text(entry, start, end)).toBe(expected)
      await spool.close()
    })

    test('can be read any number of times, and by several at once', async () => {
      const { spool } = make()
      const entry = await filled(spool, ['abc', 'def'])
      const all = [text(entry, 0, 6), text(entry, 0, 6), text(entry, 3, 6)]
      expect(await Promise.all(all)).toEqual(['abcdef', 'abcdef', 'def'])
      expect(await text(entry, 0, 6)).toBe('abcdef')
      await spool.close()
    })

    test('survives a reader that leaves early', async () => {
      const { spool } = make()
      const entry = await filled(spool, ['abc', 'def'])
      for await (const chunk of entry.read(0, 6)) {
        expect(chunk.byteLength).toBeGreaterThan(0)
        break
      }
      expect(await text(entry, 0, 6)).toBe('abcdef')
      await spool.close()
    })

    test('keeps the bytes as they were when appended, whatever becomes of the chunk', async () => {
      const { spool } = make()
      const entry = await spool.create()
      const chunk = Buffer.from('before')
      await entry.append(chunk)
      await entry.seal()
      chunk.fill('x')
      expect(await text(entry, 0, 6)).toBe('before')
      await spool.close()
    })

    test('takes chunks that are larger than any buffer, without loss', async () => {
      const { spool } = make()
      const entry = await spool.create()
      const chunks = [1, 2, 3].map((n) => Buffer.alloc(3 * 2 ** 20 + n, n))
      for (const chunk of chunks) await entry.append(chunk)
      await entry.seal()
      const whole = Buffer.concat(chunks)
      expect((await bytes(entry, 0, whole.byteLength)).equals(whole)).toBe(true)
      await spool.close()
    })

    test('keeps entries apart', async () => {
      const { spool } = make()
      const [first, second] = [await filled(spool, ['first']), await filled(spool, ['second'])]
      await first.discard()
      expect(await text(second, 0, 6)).toBe('second')
      await spool.close()
    })

    test.each([
      ['before a byte came', 0, false],
      ['while it is written', 1, false],
      ['when it is complete', 1, true],
    ])('discards an entry %s, and is not bothered by a second time', async (_when, chunks, isSealed) => {
      const { spool, held } = make()
      const entry = await spool.create()
      for (let i = 0; i < chunks; i++) await entry.append(Buffer.alloc(2 ** 16))
      if (isSealed) await entry.seal()
      await entry.discard()
      await entry.discard()
      expect(await held()).toBe(0)
      await spool.close()
    })

    test('keeps an entry until all who share it have discarded it, each once', async () => {
      const { spool, held } = make()
      const first = await filled(spool, ['abc'])
      const second = first.share()
      const third = second.share()
      await first.discard()
      await first.discard()
      await first.discard()
      expect([await text(second, 0, 3), await held()]).toEqual(['abc', 1])
      await second.discard()
      expect([await text(third, 1, 3), await held()]).toEqual(['bc', 1])
      await third.discard()
      expect(await held()).toBe(0)
      await spool.close()
    })

    test('is empty after close, whoever shares its entries', async () => {
      const { spool, held } = make()
      const entry = await filled(spool, ['abc'])
      const other = entry.share()
      await spool.close()
      expect(await held()).toBe(0)
      await Promise.all([entry, other].map((one) => one.discard()))
    })

    test('ends an append that waits when its entry is discarded', async () => {
      const { spool, held } = make()
      const entry = await spool.create()
      const appended = Promise.resolve(entry.append(Buffer.alloc(8 * 2 ** 20))).then(
        () => 'ended',
        () => 'ended',
      )
      await entry.discard()
      expect(await appended).toBe('ended')
      expect(await held()).toBe(0)
      await spool.close()
    })

    test('is empty after close, whatever state its entries were in', async () => {
      const { spool, held } = make()
      const [open, written] = [await spool.create(), await spool.create(), await filled(spool, ['abc'])]
      await open.seal()
      await written.append(Buffer.from('abc'))
      expect(await held()).toBe(3)
      await spool.close()
      expect(await held()).toBe(0)
    })

    test('can be closed without ever having been used', async () => {
      const { spool, held } = make()
      await spool.close()
      expect(await held()).toBe(0)
    })

    test('is full at its capacity and not before, and has room again after a discard', async () => {
      const spool = bounded(8)
      const [first, second] = [await spool.create(), await spool.create()]
      await first.append(Buffer.alloc(5))
      await second.append(Buffer.alloc(3))
      await expect(second.append(Buffer.alloc(1))).rejects.toThrow(SpoolFullError)
      await first.discard()
      await first.discard()
      await second.append(Buffer.alloc(5))
      await expect(second.append(Buffer.alloc(1))).rejects.toThrow(SpoolFullError)
      await spool.close()
    })

    test('keeps what was reserved for the one who reserved it', async () => {
      const spool = bounded(8)
      const first = await spool.create(6)
      const second = await spool.create()
      await second.append(Buffer.alloc(2))
      await expect(second.append(Buffer.alloc(1))).rejects.toThrow(SpoolFullError)
      await first.append(Buffer.alloc(6))
      await first.seal()
      expect(await text(first, 0, 6)).toBe('\0'.repeat(6))
      await spool.close()
    })

    test('refuses to reserve more than is left, and holds nothing of what it refused', async () => {
      const spool = bounded(8)
      await expect(spool.create(9)).rejects.toThrow(SpoolFullError)
      const first = await spool.create(5)
      await expect(spool.create(4)).rejects.toThrow(SpoolFullError)
      const second = await spool.create(3)
      for (const entry of [first, second]) await entry.append(Buffer.alloc(3))
      await spool.close()
    })

    test('lets an entry grow beyond what was reserved, as far as there is room', async () => {
      const spool = bounded(8)
      const entry = await spool.create(2)
      await entry.append(Buffer.alloc(7))
      await entry.append(Buffer.alloc(1))
      await expect(entry.append(Buffer.alloc(1))).rejects.toThrow(SpoolFullError)
      await spool.close()
    })

    test('has room again for what was reserved and did not come, when the entry is complete', async () => {
      const spool = bounded(8)
      const first = await spool.create(8)
      await first.append(Buffer.alloc(2))
      await expect(spool.create(1)).rejects.toThrow(SpoolFullError)
      await first.seal()
      await expect(spool.create(7)).rejects.toThrow(SpoolFullError)
      await (await spool.create(6)).append(Buffer.alloc(6))
      await spool.close()
    })

    test('counts an entry that is shared once, until the last has discarded it', async () => {
      const spool = bounded(8)
      const first = await spool.create()
      await first.append(Buffer.alloc(5))
      await first.seal()
      const second = first.share()
      await spool.create(3)
      await first.discard()
      await first.discard()
      await expect(spool.create(1)).rejects.toThrow(SpoolFullError)
      await second.discard()
      await spool.create(5)
      await expect(spool.create(1)).rejects.toThrow(SpoolFullError)
      await spool.close()
    })
  })
}

/** A sealed entry with these texts, appended one by one. */
export async function filled(spool: Spool, texts: readonly string[]): Promise<SpoolEntry> {
  const entry = await spool.create()
  for (const one of texts) await entry.append(Buffer.from(one))
  await entry.seal()
  return entry
}

async function bytes(entry: SpoolEntry, start: number, end: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of entry.read(start, end)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

export async function text(entry: SpoolEntry, start: number, end: number): Promise<string> {
  return (await bytes(entry, start, end)).toString('utf8')
}
