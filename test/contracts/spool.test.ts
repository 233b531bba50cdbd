import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createFileSpool } from '../../src/image/file-spool.ts'
import { createMemorySpool } from '../../src/image/memory-spool.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { filled, spoolContract } from './spool.ts'

// What the next files are to be called: an attacker who guesses a name is hard to wait for.
const guessed = vi.hoisted((): string[] => [])
vi.mock('node:crypto', async (original) => {
  const crypto = await original<{ readonly randomUUID: () => string }>()
  return { ...crypto, randomUUID: () => guessed.shift() ?? crypto.randomUUID() }
})

spoolContract('memory', {
  make: () => {
    const spool = createMemorySpool()
    return { spool, held: () => spool.entries.size }
  },
  bounded: createMemorySpool,
})

spoolContract('file', {
  make: () => {
    const { spool, files } = fileSpool()
    return { spool, held: () => files().length }
  },
})

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
  await expect(filled(spool, ['evil'])).rejects.toMatchObject({ code: 'EEXIST' })
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
  await entry.append(Buffer.alloc(3 * 2 ** 20))
  expect(statSync(files()[0] ?? '').size).toBe(3 * 2 ** 20)
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
  const spool = createFileSpool(systemClock, parent)
  expect(existsSync(parent)).toBe(false)
  await filled(spool, ['x'])
  expect(readdirSync(parent)).toHaveLength(1)
  await spool.close()
  expect(readdirSync(parent)).toEqual([])
})

test('a place where no folder can be made is told to the one who creates', async () => {
  const file = join(temporaryFolder(), 'file')
  writeFileSync(file, '')
  await expect(createFileSpool(systemClock, join(file, 'below')).create()).rejects.toMatchObject({
    code: 'ENOTDIR',
  })
})

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'redflash-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function fileSpool() {
  const parent = temporaryFolder()
  const spool = createFileSpool(systemClock, parent)
  onTestFinished(() => spool.close())
  const files = (): string[] =>
    readdirSync(parent, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && entry.parentPath !== parent)
      .map((entry) => join(entry.parentPath, entry.name))
  return { spool, files, parent }
}
