import { describe, expect, test } from 'vitest'
import { ANYWHERE, parseImageSources } from '../../src/transfer/addresses.ts'

const may = (list: string, address: string, host = address): boolean | undefined =>
  parseImageSources(list)?.(address, host)

describe('by default an image', () => {
  test.each([
    '127.0.0.1',
    '::1',
    '10.0.0.1',
    '192.168.1.1',
    '8.8.8.8',
    '2001:db8::1',
    'fd00::1',
    '::ffff:10.0.0.1',
  ])('may come from %s', (address) => expect(may(ANYWHERE, address)).toBe(true))

  test.each([
    ['169.254.0.1', 'link-local'],
    ['169.254.169.254', 'metadata'],
    ['100.100.100.200', 'metadata'],
    ['192.0.0.192', 'metadata'],
    ['168.63.129.16', 'metadata'],
    ['fd00:ec2::254', 'metadata'],
    ['fd20:ce::254', 'metadata'],
    ['fe80::1', 'link-local'],
    ['febf:ffff::1', 'link-local'],
    ['fe80::1%eth0', 'link-local, of one interface'],
    ['::ffff:169.254.169.254', 'mapped'],
    ['::ffff:a9fe:a9fe', 'mapped'],
    ['::ffff:6464:64c8', 'mapped'],
    ['::a9fe:a9fe', 'IPv4-compatible'],
    ['64:ff9b::a9fe:a9fe', 'NAT64'],
    ['64:ff9b::169.254.169.254', 'NAT64'],
    ['2002:a9fe:a9fe::1', '6to4'],
    ['2002:6464:64c8::', '6to4'],
    ['224.0.0.1', 'multicast'],
    ['255.255.255.255', 'broadcast'],
    ['ff02::1', 'multicast'],
  ])('may not come from %s (%s)', (address) => {
    expect(may(ANYWHERE, address)).toBe(false)
  })
})

describe('a list', () => {
  test.each([
    ['10.0.0.0/8', '10.1.2.3', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.0.0.0/8', '127.0.0.1', false],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['', '127.0.0.1', false],
    ['169.254.3.0/24', '169.254.3.7', true],
    ['169.254.3.0/24', '169.254.4.7', false],
    ['169.254.0.0/16', '::ffff:169.254.3.7', true],
    ['0.0.0.0/0,169.254.3.7', '169.254.3.7', true],
    ['0.0.0.0/0,169.254.3.7', '169.254.3.8', false],
    ['168.0.0.0/7', '169.254.3.7', false],
    ['fe80::/10', 'fe80::1', true],
  ])('of %j lets %s through: %s', (list, address, expected) => {
    expect(may(list, address)).toBe(expected)
  })

  test('may name a host, whose address is then free but for those that are refused', () => {
    expect(may('Images.example', '203.0.113.7', 'images.EXAMPLE')).toBe(true)
    expect(may('images.example', '203.0.113.7', 'other.example')).toBe(false)
    expect(may('images.example', '169.254.169.254', 'images.example')).toBe(false)
  })

  test.each(['10.0.0.0/33', 'http://images', 'a b', '1.2.3'])('is not %j', (list) => {
    expect(parseImageSources(list)).toBeUndefined()
  })
})
