import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { componentOrders } from '../src/cli/image-order.ts'
import { capsuleBuilder } from '../src/image/build/capsule.ts'
import { capsule } from '../src/image/formats/capsule.ts'
import type { ImageContents } from '../src/image/image-format.ts'
import { verifySignature } from '../src/image/trust/verify-signature.ts'
import { open, pattern, readAll } from './contracts/image-format.ts'
import { createPki, NOW, trusting } from './support/pki.ts'
import { absent, PATIENCE_MS, run, works } from './support/programs.ts'
import { signAs } from './support/signed-images.ts'
import { temporaryFolder } from './support/wire.ts'

const BIOS = '836316da-220a-5e17-a67a-81e88c36b2e6'
const firmware = pattern(50_000, 7)
const pki = createPki()
const hasMkeficapsule = works('mkeficapsule', ['--help'])
const hasOpenssl = works('openssl', ['version'])
// To leave a capsule for the firmware, it wants the program of its own that would find it there.
const hasFwupd = works('fwupdtool', ['--help']) && existsSync('/usr/libexec/fwupd/efi/fwupdx64.efi.signed')

/** A capsule of ours for rackmount's BIOS. */
function ours(): Promise<Buffer> {
  const [bios] = componentOrders([{ name: 'BIOS', version: '1.9.0' }], firmware.length, 'rackmount')
  if (bios === undefined) throw new Error('rackmount has it')
  const components = [{ ...bios, bytes: () => [firmware] }]
  return buffer(capsuleBuilder.build({ components, sign: signAs(pki.signer, pki.intermediate) }))
}

async function read(image: Buffer): Promise<ImageContents> {
  const result = await readAll(open(capsule), image)
  if (!result.ok) throw new Error(JSON.stringify(result.problem))
  return result.value
}

async function filesIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

describe.skipIf(!hasMkeficapsule)(
  `mkeficapsule${absent(hasMkeficapsule, 'u-boot-tools')}`,
  { timeout: PATIENCE_MS },
  () => {
    const make = async (...args: readonly string[]): Promise<Buffer> => {
      const cwd = await temporaryFolder()
      await writeFile(join(cwd, 'firmware'), firmware)
      await writeFile(join(cwd, 'key'), pki.signer.key)
      await writeFile(join(cwd, 'certificate'), pki.signer.certificate)
      await run('mkeficapsule', [...args, 'capsule'], { cwd })
      return readFile(join(cwd, 'capsule'))
    }

    test('makes a capsule that is read', async () => {
      const { components, signatures } = await read(await make('-g', BIOS, '-i', '1', '-I', '3', 'firmware'))
      expect(components).toMatchObject([
        { fits: { imageTypeId: BIOS, hardwareInstance: 3n }, sizeBytes: firmware.length },
      ])
      expect(signatures).toEqual([])
    })

    test('signs a capsule, and that is right', async () => {
      const signing = ['-m', '7', '-p', 'key', '-c', 'certificate']
      const { components, signatures } = await read(await make('-g', BIOS, '-i', '1', ...signing, 'firmware'))
      expect(components).toMatchObject([{ fits: { imageTypeId: BIOS } }])
      const [signature] = signatures
      if (signature === undefined) throw new Error('it is not signed')
      // It leaves out the certificates that lead to an anchor.
      const trust = trusting([pki.root], { intermediates: [pki.intermediate] })
      expect(await verifySignature(signature, trust, NOW)).toMatchObject({
        ok: true,
        value: { name: 'Signer' },
      })
    })

    test.each([
      ['accepts', ['-A', '-g', BIOS]],
      ['rejects', ['-R']],
    ])('makes a capsule that only %s firmware, and that is refused', async (_what, args) => {
      expect(await readAll(open(capsule), await make(...args))).toMatchObject({
        ok: false,
        problem: { kind: 'unreadable' },
      })
    })
  },
)

describe.skipIf(!hasOpenssl)(`openssl${absent(hasOpenssl, 'openssl')}`, { timeout: PATIENCE_MS }, () => {
  test('takes the signature in a capsule of ours for that of the payload and its count', async () => {
    const cwd = await temporaryFolder()
    const image = await ours()
    const { components, signatures } = await read(image)
    const [{ start, sizeBytes } = { start: 0, sizeBytes: 0 }] = components
    const [{ bytes } = { bytes: new Uint8Array() }] = signatures
    const payload = image.subarray(start + 32 + bytes.byteLength, start + sizeBytes)
    await writeFile(join(cwd, 'signature'), bytes)
    await writeFile(join(cwd, 'root'), pki.root.certificate)
    await writeFile(join(cwd, 'content'), Buffer.concat([payload, image.subarray(start, start + 8)]))
    const files = ['-in', 'signature', '-content', 'content', '-CAfile', 'root', '-out', 'verified']
    const options = ['-binary', '-inform', 'DER', '-attime', String(NOW / 1_000), '-purpose', 'any']
    await run('openssl', ['cms', '-verify', ...options, ...files], { cwd })
    expect(payload.subarray(16).equals(firmware)).toBe(true)
    await writeFile(join(cwd, 'content'), payload)
    await expect(run('openssl', ['cms', '-verify', ...options, ...files], { cwd })).rejects.toThrow('failed')
  })
})

describe.skipIf(!hasFwupd)(
  `fwupdtool${absent(hasFwupd, 'fwupd-amd64-signed')}`,
  { timeout: PATIENCE_MS },
  () => {
    /** Has firmware installed on the BIOS of a made-up host; to the capsule that its firmware would find after a restart. */
    async function leave(blob: Buffer): Promise<Buffer> {
      const folder = await temporaryFolder()
      const at = (...names: readonly string[]): string => join(folder, ...names)
      const entry = at('firmware', 'efi', 'esrt', 'entries', 'entry0')
      for (const one of [entry, at('dmi'), at('etc'), at('var'), at('cache'), at('esp')])
        await mkdir(one, { recursive: true })
      const facts = {
        fw_class: BIOS,
        fw_type: '1',
        fw_version: '17301504',
        lowest_supported_fw_version: '0',
        capsule_flags: '0x0',
        last_attempt_status: '0',
        last_attempt_version: '0',
      }
      for (const [name, text] of Object.entries(facts)) await writeFile(join(entry, name), `${text}\n`)
      await writeFile(at('firmware', 'efi', 'fw_platform_size'), '64\n')
      await writeFile(at('dmi', 'bios_vendor'), 'Somebody\n')
      await writeFile(at('etc', 'fwupd.conf'), '[fwupd]\n', { mode: 0o600 })
      await writeFile(at('blob'), blob)
      const env = {
        CONFIGURATION_DIRECTORY: at('etc'),
        STATE_DIRECTORY: at('var'),
        CACHE_DIRECTORY: at('cache'),
        FWUPD_LOCKDIR: at('cache'),
        FWUPD_SYSFSFWDIR: at('firmware'),
        FWUPD_SYSFSDMIDIR: at('dmi'),
        FWUPD_UEFI_ESP_PATH: at('esp'),
        FWUPD_EFIVARS: 'dummy',
        FWUPD_UEFI_TEST: '1',
      }
      const fwupdtool = (...args: readonly string[]) =>
        run('fwupdtool', [...args, '--plugins', 'uefi_capsule', '--no-reboot-check'], { env })
      const printed = await fwupdtool('get-devices', '--json')
      const { Devices } = JSON.parse(printed.slice(printed.indexOf('{'))) as {
        readonly Devices: readonly { readonly DeviceId: string; readonly Guid: readonly string[] }[]
      }
      const device = Devices.find(({ Guid }) => Guid.includes(BIOS))
      await fwupdtool('install-blob', at('blob'), device?.DeviceId ?? 'none')
      const left = (await filesIn(at('esp'))).filter((file) => file.endsWith('.cap'))
      expect(left).toHaveLength(1)
      return readFile(left[0] ?? '')
    }

    test('takes a capsule of ours as it is', async () => {
      const image = await ours()
      expect((await leave(image)).equals(image)).toBe(true)
    })

    test('makes a capsule of bare firmware, and that is read', async () => {
      const made = await leave(firmware)
      const { components } = await read(made)
      expect(components).toMatchObject([{ fits: { imageTypeId: BIOS }, sizeBytes: firmware.length }])
      expect(made.subarray(components[0]?.start).equals(firmware)).toBe(true)
    })
  },
)
