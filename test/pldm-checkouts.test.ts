import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { pldm } from '../src/image/formats/pldm.ts'
import { open, pattern, readAll } from './contracts/image-format.ts'
import { absent, checkout, PATIENCE_MS, PYTHON, run, TOOLS, works } from './support/programs.ts'
import { temporaryFolder } from './support/wire.ts'

const openbmc = checkout('openbmc', 'pldm')
const python = process.env['CONFORMANCE_PYTHON'] ?? PYTHON
const hasPackager = openbmc !== undefined && works(python, ['-c', 'import bitarray'])

const UUID = '162023c93ec5411595f448701d49d675'
const VENDORS_OWN = { title: 'OpenBMC', data: '1234' }

const areas = {
  FirmwareDeviceIdentificationArea: [
    {
      DeviceUpdateOptionFlags: [0],
      ComponentImageSetVersionString: 'Set 1',
      ApplicableComponents: [0, 1],
      ReferenceManifestData: '0102030405',
      Descriptors: [
        { DescriptorType: 1, DescriptorData: 'D97E0000' },
        {
          DescriptorType: 0xffff,
          VendorDefinedDescriptorTitleString: VENDORS_OWN.title,
          VendorDefinedDescriptorData: VENDORS_OWN.data,
        },
      ],
    },
    {
      DeviceUpdateOptionFlags: [],
      ComponentImageSetVersionString: 'Set 2',
      ApplicableComponents: [0],
      Descriptors: [{ DescriptorType: 2, DescriptorData: UUID }],
    },
  ],
  ComponentImageInformationArea: [
    {
      ComponentClassification: 10,
      ComponentIdentifier: 100,
      ComponentComparisonStamp: '0x01020304',
      ComponentOptions: [0, 1],
      RequestedComponentActivationMethod: [5, 3],
      ComponentVersionString: 'v1.2',
    },
    {
      ComponentClassification: 16,
      ComponentIdentifier: 200,
      ComponentOptions: [],
      RequestedComponentActivationMethod: [],
      ComponentVersionString: 'v2',
    },
  ],
}

/** Both have flags and stamps that mean something else where the flag is set. */
const downstream = [
  {
    DownstreamDeviceUpdateOptionFlags: [0],
    DownstreamDeviceSelfContainedActivationMinVersionString: 'v0',
    DownstreamDeviceSelfContainedActivationMinVersionComparisonStamp: 7,
    ApplicableComponents: [1],
    DownstreamDeviceReferenceManifestData: 'aabb',
    Descriptors: [{ DescriptorType: 1, DescriptorData: '01000000' }],
  },
  {
    DownstreamDeviceUpdateOptionFlags: [],
    ApplicableComponents: [1],
    Descriptors: [{ DescriptorType: 1, DescriptorData: '02000000' }],
  },
]

const own = [
  { type: 1, data: 'd97e0000' },
  { type: 0xffff, data: `0107${Buffer.from(VENDORS_OWN.title).toString('hex')}${VENDORS_OWN.data}` },
]

describe.skipIf(!hasPackager)(
  `openbmc’s packager${absent(hasPackager, `openbmc/pldm in ${TOOLS}, or no Python with bitarray`)}`,
  () => {
    test.each<[format: string, revision: number, identifier: string, hasDownstream: boolean]>([
      ['PLDMv1_0', 1, 'F018878CCB7D49439800A02F059ACA02', false],
      ['PLDMv1_1', 2, '1244D2648D7D4718A030FC8A56587D5A', true],
      ['PLDMv1_2', 3, '3119CE2FE80A4A99AF6D46F8B121F6BF', true],
      ['PLDMv1_3', 4, '7B291C996DB64208801B02026E463C78', true],
    ])(
      'makes packages of %s that are read rightly',
      async (format, revision, identifier, hasDownstream) => {
        const folder = await temporaryFolder()
        const file = (name: string): string => join(folder, name)
        const images = [pattern(5_000, 1), pattern(7, 2)]
        const names = images.map((_, index) => file(`image${index}`))
        await Promise.all(images.map((image, index) => writeFile(names[index] ?? '', image)))
        const header = {
          PackageHeaderIdentifier: identifier,
          PackageHeaderFormatVersion: revision,
          PackageReleaseDateTime: '2024-02-29T12:34:56',
          PackageVersionString: 'Package 1',
        }
        const more = hasDownstream && { DownstreamDeviceIdentificationArea: downstream }
        await writeFile(
          file('metadata'),
          JSON.stringify({ PackageHeaderInformation: header, ...areas, ...more }),
        )
        const script = join(openbmc ?? '', 'tools', 'fw-update', 'pldm_fwup_pkg_creator.py')
        await run(python, [script, file('package'), file('metadata'), ...names])
        const image = await readFile(file('package'))
        const behind = hasDownstream ? [[{ type: 1, data: '01000000' }], [{ type: 1, data: '02000000' }]] : []
        const read = await readAll(open(pldm), image)
        expect(read).toMatchObject({
          ok: true,
          value: {
            format,
            signatures: [],
            components: [
              {
                version: 'v1.2',
                releaseDate: '2024-02-29T12:34:56Z',
                fits: { classification: 10, identifier: 100, devices: [own, [{ type: 2, data: UUID }]] },
                isForced: true,
                comparisonStamp: 0x01020304,
                activation: 'system-reboot',
                sizeBytes: 5_000,
              },
              {
                version: 'v2',
                fits: { classification: 16, identifier: 200, devices: [own, ...behind] },
                isForced: false,
                comparisonStamp: undefined,
                activation: undefined,
                sizeBytes: 7,
              },
            ],
          },
        })
        const starts = read.ok ? read.value.components.map(({ start }) => start) : []
        expect(
          starts.map((start, index) => image.subarray(start, start + (images[index]?.length ?? 0))),
        ).toEqual(images)
      },
      PATIENCE_MS,
    )
  },
)

describe.skipIf(openbmc === undefined)(
  `packages in openbmc’s tests of its parser${absent(openbmc !== undefined, `openbmc/pldm in ${TOOLS}`)}`,
  () => {
    /** The headers that are byte arrays there, by the names of their tests. */
    const headers = async (): Promise<Map<string, Buffer>> => {
      const source = await readFile(
        join(openbmc ?? '', 'fw-update', 'test', 'package_parser_test.cpp'),
        'utf8',
      )
      const tests = source.matchAll(
        /TEST\(PackageParser, (\w+)\)\s*\{\s*std::vector<uint8_t> fwPkgHdr\{([^}]*)\}/g,
      )
      return new Map(
        [...tests].map(([, name = '', bytes = '']) => [
          name,
          Buffer.from(bytes.match(/0x[0-9A-F]{2}/gi)?.map(Number) ?? []),
        ]),
      )
    }

    test.each<[name: string, images: number, expected: readonly object[]]>([
      [
        'ValidPkgSingleDescriptorSingleComponent',
        1,
        [{ version: 'VersionString3', fits: { identifier: 100 } }],
      ],
      [
        'ValidPkgMultipleDescriptorsMultipleComponents',
        3,
        [
          { version: 'VersionString5', fits: { classification: 10, identifier: 100 }, isForced: false },
          { version: 'VersionString6', fits: { identifier: 200 }, activation: 'automatic' },
          {
            version: 'VersionString7',
            fits: { classification: 16 },
            isForced: true,
            activation: 'medium-specific-reset',
          },
        ],
      ],
    ])('%s is read', async (name, images, expected) => {
      const header = (await headers()).get(name) ?? Buffer.alloc(0)
      const read = await readAll(open(pldm), Buffer.concat([header, pattern(27 * images, 1)]))
      expect(read).toMatchObject({ ok: true, value: { format: 'PLDMv1_0', components: expected } })
    })

    test.each([
      'InvalidPkgHeaderInfoIncomplete',
      'InvalidPkgNotSupportedHeaderFormat',
      'InvalidPkgBadChecksum',
    ])('%s is unreadable', async (name) => {
      const header = (await headers()).get(name)
      const read = await readAll(open(pldm), Buffer.concat([header ?? Buffer.alloc(0), pattern(27, 1)]))
      expect(header?.length).toBeGreaterThan(0)
      expect(read).toMatchObject({ ok: false, problem: { kind: 'unreadable' } })
    })
  },
)
