import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeRecord, encodeRecord, eventOf } from '../../src/devices/amt/audit-record.ts'
import { decodeParameters, encodeParameters } from '../../src/devices/amt/boot-parameters.ts'
import { originOf } from '../../src/devices/amt/connection.ts'
import { elementsOf, readXml, textAt } from '../../src/devices/amt/xml-reader.ts'
import { element, type Xml, xmlDocument } from '../../src/redfish/xml.ts'

describe('XML', () => {
  test('is read with its names, texts and attributes, whatever the prefixes', () => {
    const root = readXml(
      `<?xml version="1.0"?>\n<!-- a -->\n<a:Envelope xmlns:a='x'><a:Body><b:Name i:Kind="&lt;1&gt;">A &amp; &#66;&#x43;</b:Name><c/></a:Body></a:Envelope>\n`,
    )
    expect(root?.name).toBe('Envelope')
    expect(textAt(root, 'Body', 'Name')).toBe('A & BC')
    const [name, empty] = elementsOf(readXml('<r><n Kind="&lt;1&gt;"/><c></c></r>'))
    expect(name?.attributes).toEqual({ Kind: '<1>' })
    expect(empty).toEqual({ name: 'c', attributes: {}, content: '' })
  })

  test.each([
    ['nothing', ''],
    ['text', 'text'],
    ['two roots', '<a/><b/>'],
    ['text beside the root', '<a/>b'],
    ['an element that is not closed', '<a><b></a>'],
    ['an end without a beginning', '</a>'],
    ['an end that has another prefix', '<x:a></y:a>'],
    ['an attribute that is there twice', '<a b="1" b="2"/>'],
    ['an attribute without quotes', '<a b=1/>'],
    ['an entity that nobody knows', '<a>&nbsp;</a>'],
    ['an ampersand that stands alone', '<a>1 & 2</a>'],
    ['a character that is none', '<a>&#x110000;</a>'],
    ['a DTD', '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'],
    ['CDATA', '<a><![CDATA[b]]></a>'],
    ['too many levels', '<a>'.repeat(100) + '</a>'.repeat(100)],
  ])('is not read where it is %s', (_what, document) => {
    expect(readXml(document)).toBeUndefined()
  })

  test('is read as it was written, whatever stands in it', () => {
    const name = fc.stringMatching(/^[A-Za-z_][\w.-]{0,8}$/)
    const text = fc.string({ unit: 'grapheme' }).map((some) => `x${some.replaceAll(/\p{Cc}/gu, '')}x`)
    const { tree } = fc.letrec<{ tree: Xml }>((tie) => ({
      tree: fc.record({
        name,
        attributes: fc.dictionary(name, text, { maxKeys: 3, noNullPrototype: true }),
        content: fc.oneof(
          { depthSize: 'small' },
          text,
          fc.array(tie('tree'), { minLength: 1, maxLength: 4 }),
        ),
      }),
    }))
    fc.assert(
      fc.property(tree, (root) => {
        const written = element(root.name, root.attributes, root.content)
        expect(withoutSpace(readXml(xmlDocument(written)))).toEqual(root)
      }),
    )
  })

  test('is read or not, and never thrown at', () => {
    const pieces = fc.constantFrom(
      '<a>',
      '</a>',
      '<b c="d"/>',
      '&amp;',
      '&',
      '<',
      '>',
      '<!--',
      '-->',
      't',
      '"',
      '<?',
    )
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (some) => {
        expect(['undefined', 'object']).toContain(typeof readXml(some.join('')))
      }),
    )
  })
})

describe('parameters of a UEFI boot', () => {
  const uri = { type: 1, value: Buffer.from('https://a/b') }

  test('have their vendor, type and length before them, little-endian', () => {
    const bytes = Buffer.from(encodeParameters([uri, { type: 20, value: Buffer.of(1) }]), 'base64')
    expect(bytes.toString('latin1')).toBe(
      '\x86\x80\x01\x00\x0b\x00\x00\x00https://a/b\x86\x80\x14\x00\x01\x00\x00\x00\x01',
    )
  })

  test('are read as they were written', () => {
    const read = decodeParameters(encodeParameters([uri, { type: 40, value: Buffer.alloc(0) }]))
    expect(read?.map(({ type, value }) => [type, value.toString()])).toEqual([
      [1, 'https://a/b'],
      [40, ''],
    ])
  })

  test.each([
    ['a header that is cut', 'hoABAAs='],
    [
      'a value that is cut',
      Buffer.from(encodeParameters([uri]), 'base64')
        .subarray(0, -1)
        .toString('base64'),
    ],
  ])('are not read where they have %s', (_what, base64) => {
    expect(decodeParameters(base64)).toBeUndefined()
  })
})

describe('a record of the audit log', () => {
  test('is read as a real one is written', () => {
    const record = decodeRecord('ABMAAAI/9M1uAgAQAAwAAAAoBZkADAAAACQFlA==')
    expect(record).toMatchObject({ application: 19, event: 0, user: undefined, address: '' })
    expect(record?.time).toBe(0x3ff4cd6e * 1_000)
    expect(Buffer.from(record?.details ?? []).toString('hex')).toBe('000c000000280599000c000000240594')
    expect(record && eventOf(record)).toBe('updateStarted')
  })

  test.each([
    ['a user', 'admin', '192.0.2.7'],
    ['nobody', undefined, ''],
  ])('tells of %s who asked', (_who, user, address) => {
    const record = {
      application: 17,
      event: 3,
      user,
      time: 1_800_000_000_000,
      address,
      details: Buffer.of(1),
    }
    expect(decodeRecord(encodeRecord(record))).toEqual(record)
  })

  test.each(['', 'ABMAAA==', 'ABMAAAI/9M1uAgAQAAwAAAAoBZk=', 'ABMAAAI/9M1uAgAQAAwAAAAoBZkADAAAACQFlAA='])(
    'is not read where the bytes are none: %s',
    (base64) => {
      expect(decodeRecord(base64)).toBeUndefined()
    },
  )
})

describe('the address of a device', () => {
  test.each([
    ['amt.example', 'https://amt.example:16993'],
    ['192.0.2.1', 'https://192.0.2.1:16993'],
    ['192.0.2.1:16992', 'http://192.0.2.1:16992'],
    ['192.0.2.1:16993', 'https://192.0.2.1:16993'],
    ['192.0.2.1:8443', 'https://192.0.2.1:8443'],
    ['http://192.0.2.1', 'http://192.0.2.1:16992'],
    ['HTTP://192.0.2.1:8080/', 'http://192.0.2.1:8080'],
    ['https://192.0.2.1/wsman', 'https://192.0.2.1:16993'],
    ['2001:db8::1', 'https://[2001:db8::1]:16993'],
    ['[2001:db8::1]:16992', 'http://[2001:db8::1]:16992'],
  ])('%s is that of %s', (hostName, origin) => {
    expect(originOf(hostName)).toBe(origin)
  })

  test.each(['', 'http://', 'a b', 'host:port'])('is none: %s', (hostName) => {
    expect(() => originOf(hostName)).toThrow('its address is none')
  })
})

/** Texts as readers take them: the space around elements is nobody's. */
function withoutSpace(xml: Xml | undefined): Xml | undefined {
  if (xml === undefined || typeof xml.content === 'string') return xml
  return { ...xml, content: xml.content.flatMap((one) => withoutSpace(one) ?? []) }
}
