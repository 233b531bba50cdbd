import * as fc from 'fast-check'
import { generateKeyPairSync } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { gunzipSync, gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { RawRule } from '../../src/bmc/machine.ts'
import { openbmcBuilder } from '../../src/image/build/openbmc.ts'
import { tarOf, textEntry } from '../../src/image/build/tar-file.ts'
import { cases, CASES_MS, mutations, pieceLengths, runs } from '../support/fuzz.ts'
import { imageReader, isThere, judgeBy, pushProperty, readInPieces, verdicts } from '../support/image-fuzz.ts'

const identity = { openbmc: { machineName: 'rackmount', purpose: 'BMC' } }
const pem = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()
const signed = await make({ name: 'OpenBMC', pem })
const plain = await make()
const zipped = gzipSync(plain)

function make(key?: { readonly name: string; readonly pem: string }): Promise<Buffer> {
  const component = { name: 'BMC-Primary', softwareId: 'id', version: '2.4.0', sizeBytes: 1_600, identity }
  return buffer(openbmcBuilder.build({ components: [component], ...(key && { key }) }))
}

/** A component is a true one when it is all of what came, or of what comes out of it. */
const judgeWhole = judgeBy((image, { encoding, components }) => {
  const whole = encoding === 'gzip' ? gunzipSync(image) : image
  return components.every((one) => one.sizeBytes === whole.length && isThere(whole, one))
})

function judge(image: Buffer, lengths?: readonly number[]): Promise<string> {
  return judgeWhole(image, lengths, imageReader({ maxBytes: 2 ** 20 }))
}

test(
  'a tarball that is whole is read however it is cut up',
  async () => {
    const property = fc.asyncProperty(
      fc.constantFrom(signed, plain, zipped),
      pieceLengths,
      async (image, lengths) => {
        expect(await judge(image, lengths)).toBe('true image')
      },
    )
    await fc.assert(property, runs(60))
  },
  CASES_MS,
)

test(
  'a tarball that was changed is judged by its bytes, and by nothing else',
  async () => {
    const snippets = [
      'MANIFEST\0',
      'ustar\x0000',
      '\0'.repeat(512),
      'version=',
      'HashType=',
      '.sig\0',
      '0777777',
    ]
    const property = fc.asyncProperty(
      fc.constantFrom(signed, signed, plain),
      mutations(snippets),
      pieceLengths,
      async (image, mutate, lengths) => {
        expect(await judge(mutate(image), lengths)).toMatch(verdicts)
      },
    )
    await fc.assert(property, cases(800))
  },
  CASES_MS,
)

test(
  'no bit of what was signed can be changed',
  async () => {
    const before = await vouchedFor(signed)
    expect(before).toMatch(/rsa-pkcs1/)
    const property = fc.asyncProperty(fc.constantFrom(...placesInFiles()), fc.nat(7), async (at, bit) => {
      const image = Buffer.from(signed)
      image.writeUInt8(image.readUInt8(at) ^ (1 << bit), at)
      // What the tarball's own key does not vouch for, the machine's has to.
      expect(await vouchedFor(image)).not.toBe(before)
    })
    await fc.assert(property, cases(300))
  },
  CASES_MS,
)

/** The signatures that a machine is shown, and what they are of; what is wrong where it is shown none. */
async function vouchedFor(image: Buffer): Promise<string> {
  const contents = await readInPieces(image)
  return JSON.stringify(contents.ok ? contents.value.signatures : contents.problem)
}

/** Where the files' bytes are in the signed image, without headers and padding. */
function placesInFiles(): number[] {
  const places: number[] = []
  for (let at = 0; signed.readUInt8(at) !== 0;) {
    const size = Number.parseInt(signed.toString('latin1', at + 124, at + 135), 8)
    at += 512
    places.push(...Array.from({ length: size }, (_, index) => at + index))
    at += Math.ceil(size / 512) * 512
  }
  return places
}

test(
  'what was compressed and changed is judged, too',
  async () => {
    const property = fc.asyncProperty(
      mutations(['\x1f\x8b\x08', '\0'.repeat(20), zipped.toString('latin1')]),
      pieceLengths,
      async (mutate, lengths) => {
        expect(await judge(mutate(zipped), lengths)).toMatch(verdicts)
      },
    )
    await fc.assert(property, cases(400))
  },
  CASES_MS,
)

test(
  'whatever its files hold, a tarball is judged',
  async () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom('BMC', '__proto__', ''))
    const line = fc
      .tuple(
        fc.oneof(
          fc.constantFrom('purpose', 'version', 'MachineName', 'KeyType', 'HashType', 'CompatibleName'),
          fc.string(),
        ),
        fc.oneof(
          fc.constantFrom(
            'xyz.openbmc_project.Software.Version.VersionPurpose.BMC',
            'xyz.openbmc_project.Software.Version.VersionPurpose.Host',
            'RSA-SHA256',
            'RSA-SHA512',
            '1.0',
          ),
          text,
        ),
      )
      .map((pair) => pair.join('='))
    const manifests = fc.array(line, { maxLength: 8 }).map((lines) => lines.join('\n'))
    const names = [
      'image-bmc',
      'image-kernel',
      'publickey',
      'MANIFEST.sig',
      'publickey.sig',
      'image-bmc.sig',
      '__proto__',
    ]
    const bodies = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc.constant(Buffer.from('-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n')),
    )
    const files = fc.uniqueArray(fc.tuple(fc.constantFrom(...names), bodies), {
      selector: ([name]) => name,
      maxLength: names.length,
    })
    const property = fc.asyncProperty(manifests, files, fc.boolean(), async (manifest, rest, isFirst) => {
      const own = textEntry('MANIFEST', Buffer.from(manifest))
      const others = rest.map(([name, body]) => textEntry(name, body))
      expect(await judge(await buffer(tarOf(isFirst ? [own, ...others] : [...others, own])))).toMatch(
        verdicts,
      )
    })
    await fc.assert(property, cases(500))
  },
  CASES_MS,
)

test(
  'a version in bytes of no format is found wherever it is',
  async () => {
    const rules: readonly RawRule[] = [
      { component: 'A', version: /A-FW (\d+\.\d+)/gu },
      { component: 'B', version: /B(?:-[\w.]+)? v([\w.]{1,40})/gu },
      { component: 'C', version: /C\d+/gu },
    ]
    const texts = ['A-FW 1.25', 'B-x v1.2.3', 'C77']
    const versions: Readonly<Record<string, readonly string[]>> = {
      'A-FW 1.25': ['A', '1.25'],
      'B-x v1.2.3': ['B', '1.2.3'],
      C77: ['C', 'C77'],
    }
    const gaps = fc.oneof(
      fc.nat(3_000),
      fc.integer({ min: 65_000, max: 66_000 }),
      fc.constantFrom(1_024, 768, 65_536),
    )
    const property = fc.asyncProperty(
      fc.uniqueArray(fc.constantFrom(...texts), { minLength: 1, maxLength: 3 }),
      fc.array(gaps, { minLength: 4, maxLength: 4 }),
      pieceLengths,
      async (wanted, spaces, lengths) => {
        const gap = (at: number): Buffer => Buffer.alloc(spaces[at] ?? 0, 0xee)
        const image = Buffer.concat([
          Buffer.from([0xee]),
          ...wanted.flatMap((text, at) => [gap(at), Buffer.from(text), Buffer.from([0xee])]),
          gap(3),
        ])
        const contents = await readInPieces(image, [...lengths, 65_536], imageReader({ rawRules: rules }))
        const found = contents.ok ? contents.value.components : []
        expect(found.map(({ name, version }) => [name, version])).toEqual(
          texts.filter((text) => wanted.includes(text)).map((text) => versions[text]),
        )
        for (const { start, sizeBytes } of found) expect([start, sizeBytes]).toEqual([0, image.length])
      },
    )
    await fc.assert(property, cases(200))
  },
  CASES_MS,
)

pushProperty(
  'tarball',
  fc
    .tuple(fc.constantFrom(signed, plain, zipped), mutations(['MANIFEST\0', 'ustar', '\x1f\x8b\x08']))
    .map(([image, mutate]) => mutate(image)),
)
