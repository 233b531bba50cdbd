import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runCommand } from '../support/cli.ts'
import { certify, makeKey } from '../support/pki.ts'
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

describe('image build of any format', () => {
  const orders = [
    ['bundle', ['--component', 'NIC-1=22.42.1000'], ['VendorDefined', 'softwareId']],
    [
      'pldm',
      ['--component', 'NIC-1=22.42.1000', '--option', 'version=1.3'],
      ['PLDMv1_3', 'identifier', 'device'],
    ],
    [
      'capsule',
      ['--component', 'BIOS=1.9.0', '--lowest-version', '1.8.0'],
      ['UEFICapsule', 'imageType', 'lowest'],
    ],
    ['openbmc', ['--component', 'BMC-Primary=2.4.0', '--option', 'gzip=true'], ['gzip', 'purpose', '2.4.0']],
  ] as const

  test.each(orders)('%s: image inspect reads what image build makes', async (format, args, words) => {
    const file = await imageFile()
    expect(await build(file, '--format', format, ...args)).toMatchObject({ exitCode: 0, err: '' })
    const { exitCode, out } = await runCommand(['image', 'inspect', file])
    expect(exitCode).toBe(0)
    for (const word of words) expect(out).toContain(word)
  })

  test.each(orders)(
    '%s: it is signed by a key and its certificate, where the format has a place for it',
    async (...row) => {
      const [format, args] = row
      const file = await imageFile()
      const { key, certificate } = certify({ name: 'Signer', key: makeKey('rsa') })
      const [keyFile, certificateFile] = [join(file, '../release.pem'), join(file, '../release.crt')]
      await writeFile(keyFile, key)
      await writeFile(certificateFile, certificate)
      const bare = ['bundle', 'openbmc'].includes(format)
      const signing =
        format === 'openbmc' ? ['--key', keyFile] : ['--key', keyFile, '--certificate', certificateFile]
      expect(await build(file, '--format', format, ...args, ...signing)).toMatchObject({
        exitCode: 0,
        err: '',
      })
      const { out } = await runCommand(['image', 'inspect', file])
      expect(out).toContain(format === 'openbmc' ? 'signature  rsa-pkcs1 by release' : 'signature  cms')
      if (!bare) return
      await build(file, '--format', format, ...args, '--key', keyFile)
      expect((await runCommand(['image', 'inspect', file])).out).toContain(' by release')
    },
  )

  test.each(orders)(
    '%s: image defects lists what --break makes, and what its update tells',
    async (format, args) => {
      const { out, exitCode } = await runCommand(['image', 'defects', '--format', format])
      expect(exitCode).toBe(0)
      const names = out.split('\n').flatMap((line) => /^\S+/.exec(line)?.[0] ?? [])
      expect(names).toContain('truncate')
      expect(out).toMatch(/Update\.VerificationFailed/)
      const file = await imageFile()
      expect(await build(file, '--format', format, ...args, '--break', 'truncate')).toMatchObject({
        exitCode: 0,
      })
      expect((await runCommand(['image', 'inspect', file])).exitCode).toBe(1)
    },
  )

  test('says what an image asks for', async () => {
    const file = await imageFile()
    const asked = ['--requires', 'BIOS=1.8.0', '--security-version', '3', '--model', 'RX-1']
    await build(file, ...nic, ...asked)
    const { out } = await runCommand(['image', 'inspect', file])
    for (const words of [/requires +BIOS at least 1\.8\.0/, /security +3/, /for +RX-1/])
      expect(out).toMatch(words)
  })

  test.each([
    ['a format that there is not', [...nic, '--format', 'zip'], 'zip'],
    ['a defect that the format does not have', [...nic, '--break', 'rust'], 'rust'],
    ['a signature’s defect without a signature', [...nic, '--break', 'signature'], '--key'],
    ['a certificate without its key', [...nic, '--certificate', 'x.crt'], '--key'],
    ['a key that is not there', [...nic, '--key', 'nowhere.pem'], 'ENOENT'],
    ['a security version that is none', [...nic, '--security-version', '-1'], 'number'],
    ['an option without a value', [...nic, '--option', 'version'], 'name=value'],
    ['an activation that there is not', [...nic, '--activation', 'hope'], 'self-contained'],
    [
      'more components than the format holds',
      ['--format', 'openbmc', '--component', 'BMC-Primary=1', '--component', 'NIC-1=1'],
      '1 component',
    ],
    ['a component that the format cannot name', ['--format', 'openbmc', '--component', 'NIC-1=1'], 'NIC-1'],
  ])('refuses %s, and writes nothing', async (_name, args, word) => {
    const file = await imageFile()
    const { exitCode, err } = await build(file, ...args)
    expect({ exitCode, err }).toEqual({ exitCode: 1, err: expect.stringContaining(word) as string })
    expect(await filesBelow(join(file, '..'))).toEqual([])
  })
})

describe('image inspect', () => {
  test.each([
    ['update bundle', nic],
    ['PLDM firmware package', ['--format', 'pldm', ...nic]],
    ['UEFI capsule', ['--format', 'capsule', '--component', 'BIOS=1.9.0']],
    ['OpenBMC tarball', ['--format', 'openbmc', '--component', 'BMC-Primary=2.4.0']],
  ])('calls it a(n) %s', async (name, args) => {
    const file = await imageFile()
    await build(file, ...args)
    expect((await runCommand(['image', 'inspect', file])).out).toContain(`${file}: ${name} (`)
  })

  test('finds a raw binary by the rules of a machine, and not without', async () => {
    const file = await imageFile()
    await writeFile(file, `${'\0'.repeat(600)}PSU-FW 1.2.3.4\0${'\0'.repeat(600)}`)
    expect(await runCommand(['image', 'inspect', file])).toMatchObject({ exitCode: 1 })
    const { exitCode, out } = await runCommand(['image', 'inspect', file, '--machine', 'bladed'])
    expect(exitCode).toBe(0)
    expect(out).toContain('raw binary')
    expect(out).toMatch(/version +1\.2\.3\.4/)
  })

  test.each([
    ['1023KiB', 1],
    ['3MiB', 0],
  ])('unpacks no more than %s: %i', async (size, code) => {
    const file = await imageFile()
    const order = ['--format', 'openbmc', '--component', 'BMC-Primary=2.4.0', '--option', 'gzip=true']
    await build(file, ...order)
    const { exitCode, err } = await runCommand(['image', 'inspect', file, '--max-image-size', size])
    expect(exitCode).toBe(code)
    expect(err.includes('unpacks to more than')).toBe(code === 1)
  })

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
