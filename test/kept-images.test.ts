import { createHash } from 'node:crypto'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import type { RawRule } from '../src/bmc/machine.ts'
import { readKept } from '../src/image/kept.ts'
import { receiveImage } from '../src/image/receive.ts'
import { createFileSpool } from '../src/image/spool/file-spool.ts'
import { createMemorySpool } from '../src/image/spool/memory-spool.ts'
import type { Spool } from '../src/image/spool/spool.ts'
import { systemClock } from '../src/lib/clock.ts'
import { temporaryFolder } from './support/folders.ts'
import { bundleOf } from './support/images.ts'

const MIB = 2 ** 20
const image = await bundleOf({ 'NIC-1': '22.42.1' }, { sizeBytes: 3 * MIB })
const sha256 = createHash('sha256').update(image).digest('hex')
const options = { clock: systemClock, rawRules: [], maxImageBytes: 16 * MIB }

/** Receives an image as a request would. */
async function receive(spool: Spool, bytes = image) {
  const spooled = await spool.create()
  const source = Readable.from([bytes.subarray(0, 7), bytes.subarray(7)], { objectMode: false })
  const received = await receiveImage(source, {
    ...options,
    fileName: 'a.tar',
    stallMs: 1_000,
    spool,
    spooled,
  })
  if (!received.ok) throw new Error(received.problem.kind)
  return received.value
}

/** A spool whose images are in a folder, as a service finds them when it starts. */
async function restarted(folder: string): Promise<Spool> {
  const keeping = { folder, isSynced: false, mayRemove: () => true }
  const spool = createFileSpool(systemClock, { keeping })
  onTestFinished(() => spool.close())
  await spool.sweep(new Set([sha256]))
  return spool
}

/** A folder with the image in it, as a killed service leaves it. */
async function folderWithImage(): Promise<string> {
  const folder = join(temporaryFolder(), 'images')
  const spool = createFileSpool(systemClock, { keeping: { folder, isSynced: true, mayRemove: () => false } })
  await receive(spool)
  await spool.close()
  return folder
}

test('an image that was received is read again as the same, under the name that it is asked for', async () => {
  const spool = createMemorySpool()
  const first = await receive(spool)
  const again = await readKept(spool, { sha256, fileName: 'b.tar' }, options)
  expect(again).toMatchObject({
    fileName: 'b.tar',
    sha256,
    sizeBytes: image.length,
    contents: first.contents,
  })
  expect(first.contents.ok).toBe(true)
  await first.spooled.discard()
  expect(again && (await buffer(again.spooled.read(0, image.length))).equals(image)).toBe(true)
  await again?.spooled.discard()
  expect(spool.entries.size).toBe(0)
})

test('an image that is received twice is there once', async () => {
  const spool = createMemorySpool()
  const both = await Promise.all([receive(spool), receive(spool)])
  expect(spool.entries.size).toBe(1)
  for (const { spooled } of both) await spooled.discard()
  expect(spool.entries.size).toBe(0)
})

test('an image of another run of the service is read from its file', async () => {
  const folder = await folderWithImage()
  const again = await readKept(await restarted(folder), { sha256, fileName: 'b.tar' }, options)
  expect(again).toMatchObject({ sizeBytes: image.length, contents: { ok: true } })
  await again?.spooled.discard()
  expect(readdirSync(folder)).toEqual([])
})

test.each<[string, (file: string) => void]>([
  ['was cut short', (file) => writeFileSync(file, image.subarray(0, MIB))],
  ['was changed', (file) => writeFileSync(file, Buffer.from(image).fill(1, MIB, MIB + 1))],
  ['is empty', (file) => writeFileSync(file, '')],
  ['went after the service had started', (file) => rmSync(file)],
])('a file that %s is nobody’s image, and is removed', async (_what, damage) => {
  const folder = await folderWithImage()
  const spool = await restarted(folder)
  damage(join(folder, sha256))
  expect(await readKept(spool, { sha256, fileName: 'b.tar' }, options)).toBeUndefined()
  expect(readdirSync(folder)).toEqual([])
})

test('an image that never was here is none', async () => {
  expect(await readKept(createMemorySpool(), { sha256, fileName: 'b.tar' }, options)).toBeUndefined()
})

test('many who go on with the same image have it read once', async () => {
  const spool = createMemorySpool()
  await receive(spool)
  let reads = 0
  const counting: Spool = {
    ...spool,
    find: (digest) => {
      const found = spool.find(digest)
      const read = (start: number, end: number) => {
        reads++
        return found?.read(start, end) ?? Readable.from([])
      }
      return found && { ...found, read }
    },
  }
  const all = []
  for (let i = 0; i < 5; i++) all.push(await readKept(counting, { sha256, fileName: `${i}` }, options))
  expect([reads, new Set(all.map((one) => one?.contents)).size]).toEqual([1, 1])
})

test('a raw image is read by the rules of whoever asks', async () => {
  const spool = createMemorySpool()
  const raw = Buffer.from('firmware, version=7.8.9;'.padEnd(4_096, '.'))
  const { sha256: digest } = await receive(spool, raw)
  const contentsBy = async (rawRules: readonly RawRule[]) =>
    (await readKept(spool, { sha256: digest, fileName: 'a' }, { ...options, rawRules }))?.contents
  const rules: readonly RawRule[] = [{ component: 'NIC-1', version: /version=(?<version>[\d.]+);/g }]
  expect((await contentsBy([]))?.ok).toBe(false)
  expect(await contentsBy(rules)).toMatchObject({ ok: true, value: { components: [{ version: '7.8.9' }] } })
  expect((await contentsBy([]))?.ok).toBe(false)
})
