import { createPublicKey } from 'node:crypto'
import { lstat, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runCommand } from '../support/cli.ts'
import { certify, type KeyKind, makeKey } from '../support/pki.ts'
import { filesBelow, temporaryFolder } from '../support/wire.ts'

const imageFile = async (): Promise<string> => join(await temporaryFolder(), 'update.tar')
const build = (file: string, ...args: readonly string[]) =>
  runCommand(['image', 'build', ...args, '-o', file])
const nic = ['--component', 'NIC-1=22.42.1000']

describe('what an image has no place for', () => {
  const orders = {
    bundle: nic,
    pldm: ['--format', 'pldm', ...nic],
    capsule: ['--format', 'capsule', '--component', 'BIOS=1.9.0'],
    openbmc: ['--format', 'openbmc', '--component', 'BMC-Primary=2.4.0'],
  }
  const asked: Readonly<Record<string, readonly string[]>> = {
    '--model': ['--model', 'RX-1'],
    '--requires': ['--requires', 'BIOS=1.8.0'],
    '--security-version': ['--security-version', '3'],
    '--lowest-version': ['--lowest-version', '1.8.0'],
    '--force': ['--force'],
    '--activation': ['--activation', 'system-reboot'],
  }
  const refused = {
    bundle: ['--lowest-version'],
    pldm: ['--model', '--requires', '--security-version', '--lowest-version'],
    capsule: ['--model', '--requires', '--security-version', '--force'],
    openbmc: Object.keys(asked),
  }
  const formats = ['bundle', 'pldm', 'capsule', 'openbmc'] as const
  const table = formats.flatMap((format) =>
    Object.keys(asked).map((option) => [format, option, refused[format].includes(option)] as const),
  )

  test.each(table)('%s with %s: refused is %s', async (format, option, isRefused) => {
    const file = await imageFile()
    const { exitCode, err } = await build(file, ...orders[format], ...(asked[option] ?? []))
    expect(exitCode).toBe(isRefused ? 1 : 0)
    expect(err.includes(option)).toBe(isRefused)
    expect(await filesBelow(join(file, '..'))).toHaveLength(isRefused ? 0 : 1)
  })

  test.each(formats)('%s with an option that nobody knows: refused', async (format) => {
    const file = await imageFile()
    const { exitCode, err } = await build(file, ...orders[format], '--option', 'foo=bar')
    expect({ exitCode, err }).toEqual({ exitCode: 1, err: expect.stringContaining('foo') as string })
    expect(await filesBelow(join(file, '..'))).toEqual([])
  })

  test.each([
    ['pldm', false, '--certificate'],
    ['capsule', false, '--certificate'],
    ['openbmc', true, '--certificate'],
  ] as const)(
    '%s signed in the way of others (certificate: %s): refused',
    async (format, certified, word) => {
      const file = await imageFile()
      const { key, certificate } = await signer()
      const certifying = certified ? ['--certificate', certificate] : []
      const { exitCode, err } = await build(file, ...orders[format], '--key', key, ...certifying)
      expect({ exitCode, err }).toEqual({ exitCode: 1, err: expect.stringContaining(word) as string })
      expect(await filesBelow(join(file, '..'))).toEqual([])
    },
  )

  test('a capsule that is activated by anything but a reboot: refused', async () => {
    const { exitCode, err } = await build(
      await imageFile(),
      ...orders.capsule,
      '--activation',
      'ac-power-cycle',
    )
    expect({ exitCode, err }).toEqual({
      exitCode: 1,
      err: expect.stringContaining('system-reboot') as string,
    })
  })

  test.each(['bundle', 'pldm'] as const)(
    '%s says that it is forced, and what activates it',
    async (format) => {
      const file = await imageFile()
      await build(file, ...orders[format], '--force', '--activation', 'ac-power-cycle')
      const { out } = await runCommand(['image', 'inspect', file])
      expect(out).toMatch(/forced +yes/)
      expect(out).toMatch(/activation +ac-power-cycle/)
    },
  )
})

test('a component that the machine does not have is ordered by its SoftwareId', async () => {
  const file = await imageFile()
  const amt = ['--component', 'CSME=16.1.30.2307', '--software-id', 'CSME=Intel-CSME']
  expect(await build(file, ...nic, ...amt)).toMatchObject({ exitCode: 0 })
  const { out } = await runCommand(['image', 'inspect', file])
  expect(out).toMatch(/CSME\n +version +16\.1\.30\.2307\n +softwareId +Intel-CSME\n/)
  expect(out).toContain('NIC-1\n')
})

describe('the files of image build', () => {
  test('leaves what was there when it fails, and nothing beside it', async () => {
    const file = await imageFile()
    const { key } = await signer()
    const { certificate } = await signer('P-256')
    await writeFile(file, 'before')
    const { exitCode } = await build(file, ...nic, '--key', key, '--certificate', certificate)
    expect(exitCode).toBe(1)
    expect(await readFile(file, 'utf8')).toBe('before')
    expect(await filesBelow(join(file, '..'))).toHaveLength(1)
  })

  test('replaces what was there, also where a link leads to it', async () => {
    const file = await imageFile()
    const link = `${file}.link`
    await writeFile(file, 'before')
    await symlink(file, link)
    expect(await build(link, ...nic)).toMatchObject({ exitCode: 0 })
    expect((await lstat(link)).isSymbolicLink()).toBe(true)
    expect((await stat(file)).size).toBeGreaterThan(2 ** 20)
  })

  test('writes to a device, and does not replace it', async () => {
    expect(await build('/dev/null', ...nic)).toMatchObject({ exitCode: 0 })
    expect((await stat('/dev/null')).isCharacterDevice()).toBe(true)
  })

  test.each([
    ['a public key', async () => (await signer()).publicKey],
    ['no key at all', async () => (await signer()).certificate],
  ])('names the file of --key where it holds %s', async (_what, made) => {
    const key = await made()
    const { exitCode, err } = await build(await imageFile(), ...nic, '--key', key)
    expect(exitCode).toBe(1)
    expect(err).toContain(`${key} is no private key`)
  })

  test('names the file of --certificate where it holds none', async () => {
    const { key } = await signer()
    const { exitCode, err } = await build(await imageFile(), ...nic, '--key', key, '--certificate', key)
    expect(exitCode).toBe(1)
    expect(err).toContain(`${key} holds no certificate`)
  })
})

/** A key, its certificate and its public half, in files of their own folder. */
async function signer(kind: KeyKind = 'rsa') {
  const folder = await temporaryFolder()
  const { key, certificate } = certify({ name: 'Signer', key: makeKey(kind) })
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'pem' })
  const files = {
    key: join(folder, 'a.pem'),
    certificate: join(folder, 'a.crt'),
    publicKey: join(folder, 'a.pub'),
  }
  await writeFile(files.key, key)
  await writeFile(files.certificate, certificate)
  await writeFile(files.publicKey, publicKey)
  return files
}
