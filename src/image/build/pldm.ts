import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { type Revision, revisions, since } from '../layouts/pldm-layout.ts'
import { type ComponentOrder, type ImageBuilder, type ImageOrder, orderedDefect } from './builder.ts'
import { firmwareOf } from './firmware.ts'
import { defects, type PldmDefect } from './pldm-defects.ts'
import { type Package, type PackageComponent, type PackageDevice, writeHeader } from './pldm-header.ts'

/** openbmc's pldmd reads no other. */
const DEFAULT_VERSION = '1.0'
const DEFAULT_DATE = '2026-01-01T00:00:00Z'
const MAX_IMAGE_BYTES = 0xffff_ffff
const optionNames = ['version', 'downstream', 'comparison-stamp']
const versions: ReadonlyMap<string, Revision> = new Map(
  revisions.map((one) => [one.format.slice('PLDMv'.length).replace('_', '.'), one]),
)

/**
 * PLDM firmware update packages (DSP0267). Options: `version`, 1.0 to 1.3; `downstream=true`, which puts the devices
 * among those that are behind others; `comparison-stamp`, a number by which all components are compared.
 * What a package cannot say of a component (requirements, its security version) is left out.
 */
export const pldmBuilder: ImageBuilder = {
  maxComponents: 1_000,
  signedBy: ['certificate'],
  says: ['releaseDate', 'isForced', 'activation'],
  optionNames,
  defects,
  build: buildPackage,
}

function buildPackage(order: ImageOrder): Readable {
  const defect = orderedDefect(defects, order.defect, order.sign)
  const whole = packageOf(order, defect)
  writeHeader(whole) // throws now, and not when nobody expects it any more
  const bytes = inOrder(order, whole, defect)
  return Readable.from(defect?.isCut ? withoutLastByte(bytes) : bytes, { objectMode: false })
}

function packageOf({ components, options = {} }: ImageOrder, defect: PldmDefect | undefined): Package {
  const unknown = Object.keys(options).find((name) => !optionNames.includes(name))
  if (unknown !== undefined)
    throw new Error(`a PLDM package has no option ${unknown}; there are ${optionNames.join(', ')}`)
  const { version = defect?.version ?? DEFAULT_VERSION, downstream, 'comparison-stamp': stamp } = options
  const revision = versions.get(version)
  if (revision === undefined)
    throw new Error(
      `there is no version ${version} of PLDM packages; there are ${[...versions.keys()].join(', ')}`,
    )
  if (defect?.version !== undefined && version < defect.version)
    throw new Error(`version ${version} of PLDM packages has no such defect`)
  if (downstream === 'true' && revision.revision < since.downstream)
    throw new Error(`version ${version} of PLDM packages knows no downstream devices`)
  if (stamp !== undefined && !/^\d{1,9}$/.test(stamp)) throw new Error(`${stamp} is no comparison stamp`)
  const starts = components.map((_, index) =>
    components.slice(0, index).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  )
  return {
    ...revision,
    version: '1',
    releaseDate: components.find(({ releaseDate }) => releaseDate !== undefined)?.releaseDate ?? DEFAULT_DATE,
    devices: devicesOf(components),
    isDownstream: downstream === 'true',
    components: components.map((component, index) => ({
      ...componentOf(component),
      offset: starts[index] ?? 0,
      comparisonStamp: stamp === undefined ? undefined : Number(stamp),
    })),
    payloadChecksum: 0,
  }
}

/** A record for each kind of device, with all that is for it. */
function devicesOf(components: readonly ComponentOrder[]): PackageDevice[] {
  const kinds = Map.groupBy(
    components.map((component, place) => ({ place, descriptors: identityOf(component).descriptors })),
    ({ descriptors }) => JSON.stringify(descriptors),
  )
  return [...kinds.values()].map((kind) => ({
    descriptors: kind[0]?.descriptors ?? [],
    takes: kind.map(({ place }) => place),
  }))
}

function componentOf(order: ComponentOrder): Omit<PackageComponent, 'offset' | 'comparisonStamp'> {
  const { name, version, sizeBytes, isForced = false, activation } = order
  if (sizeBytes > MAX_IMAGE_BYTES) throw new Error(`${name} is too large for a PLDM package`)
  const { classification, identifier } = identityOf(order)
  return { classification, identifier, version, sizeBytes, isForced, activation }
}

function identityOf({ name, identity }: ComponentOrder) {
  if (identity?.pldm === undefined) throw new Error(`${name} has no identity in PLDM packages`)
  return identity.pldm
}

async function* inOrder(
  { components, sign }: ImageOrder,
  whole: Package,
  defect: PldmDefect | undefined,
): AsyncIterable<Uint8Array> {
  const hasChecksum = whole.revision >= since.payloadChecksum
  const right = hasChecksum ? { ...whole, payloadChecksum: await checksumOf(components) } : whole
  const header = writeHeader(defect?.change?.(right) ?? right)
  const digest = createHash('sha256').update(header)
  yield header
  for (const component of components) {
    for await (const chunk of firmwareOf(component)) {
      digest.update(chunk)
      yield chunk
    }
  }
  if (defect?.trailer !== undefined) yield Buffer.from(defect.trailer)
  if (defect?.needsSignature) digest.update('other bytes')
  if (sign) yield await sign({ sha256: digest.digest('hex') })
}

async function checksumOf(components: readonly ComponentOrder[]): Promise<number> {
  let checksum = 0
  for (const component of components) {
    for await (const chunk of firmwareOf(component)) checksum = crc32(chunk, checksum)
  }
  return checksum
}

async function* withoutLastByte(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let last: Uint8Array = new Uint8Array()
  for await (const chunk of chunks) {
    if (chunk.byteLength === 0) continue
    if (last.byteLength > 0) yield last
    last = chunk
  }
  if (last.byteLength > 1) yield last.subarray(0, -1)
}
