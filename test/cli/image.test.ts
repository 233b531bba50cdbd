import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runCommand } from '../support/cli.ts'
import { filesBelow, temporaryFolder } from '../support/wire.ts'

const imageFile = async (): Promise<string> => join(await temporaryFolder(), 'update.tar')
const build = (file: string, ...args: readonly string[]) =>
  runCommand(['image', 'build', ...args, '-o', file])
const nic = ['--component', 'NIC-1=22.42.1000']

describe('image build', () => {
  test('makes a bundle that image inspect reads', async () => {
    const file = await imageFile()
    const built = await build(file, ...nic, '--component', 'BIOS=1.9.0', '--size', '100KiB')
    expect(built).toMatchObject({ exitCode: 0, err: '' })
    expect(built.out).toContain(file)
    const { exitCode, out, err } = await runCommand(['image', 'inspect', file])
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' })
    expect(out).toContain('2 component(s)')
    for (const text of ['NIC-1', '22.42.1000', 'BIOS', '1.9.0', '102400 bytes']) expect(out).toContain(text)
    expect(out.match(/sha256 +[0-9a-f]{64}$/gm)).toHaveLength(2)
    expect((await stat(file)).size).toBeGreaterThan(2 * 102_400)
  })

  test('makes the same bytes of the same components, and others of others', async () => {
    const files = [await imageFile(), await imageFile(), await imageFile()]
    const [first = '', second = '', third = ''] = files
    await build(first, ...nic)
    await build(second, ...nic)
    await build(third, '--component', 'NIC-1=22.42.1001')
    const bytes = await readFile(first)
    expect(bytes.equals(await readFile(second))).toBe(true)
    expect(bytes.equals(await readFile(third))).toBe(false)
  })

  test.each([
    ['a component that the machine lacks', ['--component', 'GPU-1=1.0'], 'GPU-1'],
    [
      'two components with the same firmware',
      ['--component', 'BMC-Primary=3', '--component', 'BMC-Backup=3'],
      'BMC-Backup',
    ],
    ['a component without a version', ['--component', 'NIC-1'], 'Id=version'],
    ['a component without a name', ['--component', '=1.0'], 'Id=version'],
    ['a size that is none', [...nic, '--size', 'large'], 'KiB'],
    ['a machine that is not there', [...nic, '--machine', 'nowhere'], 'nowhere'],
  ])('refuses %s, and writes nothing', async (_name, args, word) => {
    const file = await imageFile()
    const { exitCode, err } = await build(file, ...args)
    expect(exitCode).toBe(1)
    expect(err).toContain(word)
    expect(await filesBelow(join(file, '..'))).toEqual([])
  })

  test('refuses to build of nothing', async () => {
    const file = await imageFile()
    const { exitCode, err } = await build(file)
    expect(exitCode).toBe(1)
    expect(err).toContain('--component')
    expect(await filesBelow(join(file, '..'))).toEqual([])
  })

  test('refuses without a file to write to', async () => {
    const { exitCode, err } = await runCommand(['image', 'build', ...nic])
    expect(exitCode).toBe(1)
    expect(err).toContain('--output')
  })

  test('tells when it cannot write there', async () => {
    const file = join(await temporaryFolder(), 'missing', 'update.tar')
    const { exitCode, err } = await build(file, ...nic)
    expect(exitCode).toBe(1)
    expect(err).toContain('ENOENT')
  })
})

describe('image inspect', () => {
  test.each([
    ['no image', () => Buffer.from('not an image')],
    ['an empty file', () => Buffer.alloc(0)],
    ['a bundle that was cut', (image: Buffer) => image.subarray(0, image.length - 10_000)],
    ['a bundle whose firmware was changed', (image: Buffer) => corrupted(image, image.length - 4_096)],
    [
      'a bundle whose manifest was changed',
      (image: Buffer) => Buffer.from(image.toString('latin1').replace('"bundle"', '"bungle"'), 'latin1'),
    ],
  ])('says what is wrong with %s', async (_name, change) => {
    const file = await imageFile()
    await build(file, ...nic)
    await writeFile(file, change(await readFile(file)))
    const { exitCode, out, err } = await runCommand(['image', 'inspect', file])
    expect(exitCode).toBe(1)
    expect(out).toBe('')
    expect(err).toContain(`${file}: `)
  })

  test('tells when there is no such file', async () => {
    const { exitCode, err } = await runCommand(['image', 'inspect', await imageFile()])
    expect(exitCode).toBe(1)
    expect(err).toContain('ENOENT')
  })
})

function corrupted(image: Buffer, at: number): Buffer {
  const copy = Buffer.from(image)
  copy.writeUInt8(copy.readUInt8(at) ^ 0xff, at)
  return copy
}
