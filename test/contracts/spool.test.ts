import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createFileSpool, type FileSpoolOptions } from '../../src/image/spool/file-spool.ts'
import { createMemorySpool } from '../../src/image/spool/memory-spool.ts'
import { type Spool, SpoolFullError } from '../../src/image/spool/spool.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { temporaryFolder } from '../support/folders.ts'
import { settledContract } from './settled-images.ts'
import { filled, spoolContract, type SpoolMaking, text } from './spool.ts'

// What the next files are to be called: an attacker who guesses a name is hard to wait for.
const guessed = vi.hoisted((): string[] => [])
vi.mock('node:crypto', async (original) => {
  const crypto = await original<{ readonly randomUUID: () => string }>()
  return { ...crypto, randomUUID: () => guessed.shift() ?? crypto.randomUUID() }
})

const inMemory: SpoolMaking = {
  make: () => {
    const spool = createMemorySpool()
    return { spool, held: () => spool.entries.size }
  },
  bounded: createMemorySpool,
  keeping: (mayRemove) => {
    const spool = createMemorySpool(undefined, mayRemove)
    return { spool, next: () => spool, held: () => spool.entries.size }
  },
}

const inFiles: SpoolMaking = {
  make: () => {
    const { spool, files } = fileSpool()
    return { spool, held: () => files().length }
  },
  bounded: (capacityBytes) => fileSpool({ capacityBytes }).spool,
  keeping: (mayRemove) => {
    const folder = join(temporaryFolder(), 'images')
    const next = (): Spool => createFileSpool(systemClock, { keeping: { folder, mayRemove, isSynced: true } })
    return { spool: next(), next, held: () => (existsSync(folder) ? readdirSync(folder).length : 0) }
  },
}

for (const [name, making] of [
  ['memory', inMemory],
  ['file', inFiles],
] as const) {
  spoolContract(name, making)
  settledContract(name, making)
}

test('a file can be read and written by its owner only, and so can the folder', async () => {
  const { spool, files } = fileSpool()
  await filled(spool, ['secret'])
  const [file = ''] = files()
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(statSync(join(file, '..')).mode & 0o777).toBe(0o700)
})

test('a file that is there already is not opened, be it a link to something valuable', async () => {
  const { spool, files, parent } = fileSpool()
  await filled(spool, ['first'])
  const victim = join(parent, 'victim')
  writeFileSync(victim, 'valuable')
  symlinkSync(victim, join(files()[0] ?? '', '../guessed'))
  guessed.push('guessed')
  await expect(filled(spool, ['evil'])).rejects.toMatchObject({ cause: { code: 'EEXIST' } })
  expect(readFileSync(victim, 'utf8')).toBe('valuable')
})

test('no two images share a file', async () => {
  const { spool, files } = fileSpool()
  await Promise.all(Array.from({ length: 20 }, () => filled(spool, ['x'])))
  expect(files()).toHaveLength(20)
})

test('whoever appends more than a buffer holds waits until the disk has it', async () => {
  const { spool, files } = fileSpool()
  const entry = await spool.create()
  await entry.append(Buffer.alloc(5 * 2 ** 20))
  expect(statSync(files()[0] ?? '').size).toBeGreaterThanOrEqual(3 * 2 ** 20)
})

test('an append that waits for the disk is told when its image is discarded', async () => {
  const { spool } = fileSpool()
  const entry = await spool.create()
  const appended = entry.append(Buffer.alloc(8 * 2 ** 20))
  await Promise.all([expect(appended).rejects.toThrow('discarded'), entry.discard()])
})

test('a disk that takes less than it was given gets the rest', async () => {
  const { spool, parent } = fileSpool()
  await using file = await open(join(parent, 'any'), 'w')
  const handles = Object.getPrototypeOf(file) as FileHandle // what all of them share
  const writing = vi.spyOn(handles, 'write')
  onTestFinished(() => writing.mockRestore())
  for (const length of [1, 3, 70_000]) {
    writing.mockImplementationOnce(async function (this: FileHandle, bytes: Uint8Array, offset: number) {
      const { bytesWritten } = await this.writev([bytes.subarray(offset, offset + length)])
      return { bytesWritten, buffer: bytes }
    } as FileHandle['write'])
  }
  const image = randomBytes(2 ** 20)
  const entry = await spool.create()
  await entry.append(image)
  await entry.seal()
  expect((await buffer(entry.read(0, image.length))).equals(image)).toBe(true)
  expect(writing.mock.calls.length).toBeGreaterThan(3)
})

test('an image that is given up at once leaves no file behind', async () => {
  const { spool, files } = fileSpool()
  await filled(spool, ['keeps the folder'])
  const many = await Promise.all(Array.from({ length: 300 }, () => spool.create()))
  await Promise.all(many.map((entry) => entry.discard()))
  expect(files()).toHaveLength(1)
})

test('the folder is made with the first image, below parents that need not exist, and removed at the end', async () => {
  const parent = join(temporaryFolder(), 'not/there/yet')
  const spool = createFileSpool(systemClock, { parent })
  expect(existsSync(parent)).toBe(false)
  await filled(spool, ['x'])
  expect(readdirSync(parent)).toHaveLength(1)
  await spool.close()
  expect(readdirSync(parent)).toEqual([])
})

test('a place where no folder can be made has no room until one can be, and its keeper is told why', async () => {
  const file = join(temporaryFolder(), 'file')
  writeFileSync(file, '')
  const told: unknown[] = []
  const spool = createFileSpool(systemClock, {
    parent: join(file, 'below'),
    failed: (error) => void told.push(error),
  })
  await expect(spool.create()).rejects.toThrow(SpoolFullError)
  expect(told).toContainEqual(expect.objectContaining({ code: 'ENOTDIR' }))
  rmSync(file)
  await filled(spool, ['x'])
  await spool.close()
  expect(readdirSync(join(file, 'below'))).toEqual([])
})

test('what the disk has not is refused before a byte of it comes, and so is what others were promised', async () => {
  const { spool, parent, files } = fileSpool()
  const { bavail, bsize } = statfsSync(parent)
  await expect(spool.create(bavail * bsize * 2)).rejects.toThrow(SpoolFullError)
  await spool.create(Math.floor(bavail * bsize * 0.6))
  await expect(spool.create(Math.floor(bavail * bsize * 0.6))).rejects.toThrow(SpoolFullError)
  expect(files()).toHaveLength(1)
})

test('an image that came can be read even where its file has been tidied away, and the next one has a place', async () => {
  const { spool, parent, files } = fileSpool()
  const first = await filled(spool, ['first'])
  for (const name of readdirSync(parent)) rmSync(join(parent, name), { recursive: true })
  const second = await filled(spool, ['second'])
  expect([await text(first, 0, 5), await text(second, 0, 6)]).toEqual(['first', 'second'])
  expect(files()).toHaveLength(1)
  await first.discard()
  await spool.close()
  expect(readdirSync(parent)).toEqual([])
})

describe('what a dead process left', () => {
  test('is gone when the next spool is made, and what a living one holds is not', async () => {
    const { spool, parent } = fileSpool()
    const image = await filled(spool, ['alive'])
    const other = await otherProcess(parent)
    await filled(fileSpool({ parent }).spool, ['next'])
    expect(existsSync(other.folder)).toBe(true)
    await other.kill()
    expect(readdirSync(other.folder)).toHaveLength(2)
    await filled(fileSpool({ parent }).spool, ['the one after'])
    expect(existsSync(other.folder)).toBe(false)
    expect(await text(image, 0, 5)).toBe('alive')
  })

  test.each([
    ['a folder of another name', 'other-abcdef', ['image', 'lock']],
    ['a folder without a lock', 'redflash-abcdef', ['image']],
    ['a folder whose lock is none', 'redflash-abcdef', ['lock/file']],
  ])('is not taken for %s', async (_what, name, contents) => {
    const parent = temporaryFolder()
    for (const one of contents) {
      mkdirSync(join(parent, name, one, '..'), { recursive: true })
      writeFileSync(join(parent, name, one), '')
    }
    await filled(fileSpool({ parent }).spool, ['x'])
    const left = contents.map((one) => one.replace(/[/].*/, ''))
    expect(readdirSync(join(parent, name)).toSorted()).toEqual(left)
  })

  test('is not taken for a link, nor for a lock with something in it', async () => {
    const [parent, elsewhere] = [temporaryFolder(), temporaryFolder()]
    for (const one of ['lock', 'valuable']) writeFileSync(join(elsewhere, one), '')
    symlinkSync(elsewhere, join(parent, 'redflash-abcdef'))
    mkdirSync(join(parent, 'redflash-ghijkl'))
    writeFileSync(join(parent, 'redflash-ghijkl', 'lock'), 'mine')
    await filled(fileSpool({ parent }).spool, ['x'])
    expect(readdirSync(elsewhere)).toEqual(['lock', 'valuable'])
    expect(readdirSync(join(parent, 'redflash-ghijkl'))).toEqual(['lock'])
  })
})

/** Another process that holds an image. */
async function otherProcess(parent: string) {
  const before = new Set(readdirSync(parent))
  const modules = resolve(import.meta.dirname, '../../src')
  const program = `
    import { createFileSpool } from '${modules}/image/spool/file-spool.ts'
    import { systemClock } from '${modules}/lib/clock.ts'
    const entry = await createFileSpool(systemClock, { parent: '${parent}' }).create()
    await entry.append(Buffer.alloc(100))
    console.log('here')
    setInterval(() => entry, 1_000)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  onTestFinished(kill)
  await once(child.stdout, 'data')
  const name = readdirSync(parent).find((one) => !before.has(one)) ?? ''
  return { folder: join(parent, name), kill }
}

function fileSpool(options: FileSpoolOptions = {}) {
  const { parent = temporaryFolder() } = options
  const spool = createFileSpool(systemClock, { ...options, parent })
  onTestFinished(() => spool.close())
  const files = (): string[] =>
    readdirSync(parent, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && entry.parentPath !== parent && entry.name !== 'lock')
      .map((entry) => join(entry.parentPath, entry.name))
  return { spool, files, parent }
}
