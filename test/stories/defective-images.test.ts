import { describe, expect, test } from 'vitest'
import { type BuilderName, imageBuilders } from '../../src/image/build/builders.ts'
import type { Defect, ImageBuilder, ImageOrder } from '../../src/image/build/builder.ts'
import { emptyTrustStore } from '../../src/bmc/trust-store.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { createPki, makeKey, publicKeyOf } from '../support/pki.ts'
import { imageOf, signAs } from '../support/signed-images.ts'
import { messageKeys } from '../support/multipart.ts'
import { update } from '../support/updates.ts'

const { root, intermediate, signer } = createPki()
const sign = signAs(signer, intermediate)
const pem = makeKey('rsa')

interface Subject {
  readonly id: string
  readonly version: string
  readonly order: Partial<ImageOrder>
}

/** What an image of each format can be for on the machine, and how it is signed. */
const subjects: Readonly<Record<BuilderName, Subject>> = {
  bundle: { id: 'NIC-1', version: '99.0', order: { sign } },
  pldm: { id: 'NIC-1', version: '99.0', order: { sign } },
  capsule: { id: 'BIOS', version: '99.0.0', order: { sign } },
  openbmc: { id: 'BMC-Primary', version: '99.0', order: { key: { name: 'release', pem } } },
}

const rows = Object.entries<ImageBuilder>(imageBuilders).flatMap(([format, builder]) =>
  Object.entries(builder.defects).map(([name, defect]) => ({ format: format as BuilderName, name, defect })),
)

describe('a defective image', () => {
  test.each(rows)('$format: $defect.what ($name)', async ({ format, name, defect }) => {
    const { id, version, order } = subjects[format]
    const emulator = await startTrusting()
    const before = await emulator.get(uris.firmware(id))
    const more = { ...(isSigned(defect) && order), defect: name }
    const { task } = await update(emulator, await imageOf({ [id]: version }, more, imageBuilders[format]))
    expect(messageKeys(task)).toEqual(expect.arrayContaining(defect.messages.map(keyOf)))
    expect(messageKeys(task)).not.toContain('UpdateSuccessful')
    expect(await emulator.get(uris.firmware(id))).toEqual(before)
    expect(emulator.spool.entries.size).toBe(0)
  })
})

test.each(Object.entries(subjects))(
  'an image with nothing wrong: %s',
  async (format, { id, version, order }) => {
    const emulator = await startTrusting()
    const image = await imageOf({ [id]: version }, order, imageBuilders[format as BuilderName])
    const { keys } = await update(emulator, image)
    expect(keys).toEqual(expect.arrayContaining(['ImageSigned', 'InstallingOnComponent']))
  },
)

function isSigned({ needsSignature }: Defect): boolean {
  return needsSignature === true
}

async function startTrusting(): Promise<TestEmulator> {
  const trustStore = { ...emptyTrustStore, keys: new Map([['release', publicKeyOf(pem)]]) }
  const emulator = await startEmulator({ adapted: { trustStore }, maxImageBytes: 2 ** 26 })
  const { certificate } = root
  const body = { CertificateString: certificate, CertificateType: 'PEM' }
  expect((await emulator.send(uris.trustAnchors, { method: 'POST', body })).status).toBe(201)
  return emulator
}

function keyOf(id: string): string {
  return id.slice(id.indexOf('.') + 1)
}
