/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A published handshake, cookie and key derivation, in hex. The messages and keys were made by an
 * independent implementation and cross-checked with wireguard-go's code.
 */
#pragma once
#define VECTOR_INITIAL_C "60e26daef327efc02ec335e2a025d2d016eb4206f87277f52d38d1988b78cd36"
#define VECTOR_INITIAL_H "2211b361081ac566691243db458ad5322d9c6c662293e8b70ee19c65ba079ef3"
#define VECTOR_SI_PRIVATE "0002030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f60"
#define VECTOR_SI_PUBLIC "07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c"
#define VECTOR_SR_PRIVATE "4042434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60"
#define VECTOR_SR_PUBLIC "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466"
#define VECTOR_EI_PRIVATE "8082838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f60"
#define VECTOR_EI_PUBLIC "883186b800b41d5cf0429695da9b3cc4f328ebcd184a6e482fa578c103f06c77"
#define VECTOR_ER_PRIVATE "c0c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf60"
#define VECTOR_ER_PUBLIC "3a553d74792d727efa9b9a4cde3da1ad93f1a2d0c09cb639b1a3c0fda14cbe24"
#define VECTOR_KEY_STATIC "93d27c2926671b77b2e93d779f69b98b1eb121b52cb9b09c8188f5c4fc43c120"
#define VECTOR_KEY_STAMP "89cf75b8d15b4fd02c98e24777da00316ad88a32029b7f302cb48189f45eab91"
#define VECTOR_C_INITIATION "aaec92d463425cc9b31a7cb684e62d3b8802fb2b287ce175d6a853478571713c"
#define VECTOR_H_INITIATION "99e9c1986ced19dbc3fbbea9c1cf58ed7e8fae70e3f6e4246205387ab8189ccf"
#define VECTOR_MAC1_KEY_SR "376bf7166fcca639d72ff35a0fe5886cac5cd9bec3cce33285e4f865bf9b3008"
#define VECTOR_INITIATION                                                                          \
  "0100000044332211883186b800b41d5cf0429695da9b3cc4f328ebcd184a6e482fa578c1"                       \
  "03f06c77fa6ff1a71203eaf305dc6260f1911ba7d914db25d127ce39ef62f6c6467fb8a7"                       \
  "77377a28376c744882e58802dabbe0882d2440df1b33568543929ae079941d14e41df3f2"                       \
  "1064f6caac39be1a77e48885e90d1dbd5067c093b4eff5d5000000000000000000000000"                       \
  "00000000"
#define VECTOR_RESPONSE                                                                            \
  "0200000088776655443322113a553d74792d727efa9b9a4cde3da1ad93f1a2d0c09cb639"                       \
  "b1a3c0fda14cbe243e07b573631413c0f2730b46627c831c9324f15f4533219e1aea0aaa"                       \
  "fa617ea900000000000000000000000000000000"
#define VECTOR_H_RESPONSE "53f80cb04c65df08730b665e3799a74c9d71c3dd4169e7bead997dc1cda5fda0"
#define VECTOR_C_RESPONSE "2d1ddd39d99a24471353ebf8787572256eb5e9dc905b5dfb5531d340c6389a67"
#define VECTOR_KEY_IR "68d9a7877b387087ae50d6ba04dbd0f8063ef17104cbe181ae30407e32d83dee"
#define VECTOR_KEY_RI "81faf15f4c7bafeeac93edf3a0746b1c15bd06bfca5ea911d3abcaf7c5b6362a"
#define VECTOR_KEEPALIVE "04000000887766550000000000000000f75471e3d14dfacf2813acabf72d497f"
#define VECTOR_DATA_RI                                                                             \
  "0400000044332211010000000000000026b1398b993845c102366f1e53f9cb99296493fd"                       \
  "ec1f434a79302274aa227edd"
#define VECTOR_PSK_RESPONSE                                                                        \
  "0200000088776655443322113a553d74792d727efa9b9a4cde3da1ad93f1a2d0c09cb639"                       \
  "b1a3c0fda14cbe2412c94ef0d1df961dab024cfdc2b475ec3846f0789f70abbaf7d356cc"                       \
  "2bada47a00000000000000000000000000000000"
#define VECTOR_PSK_KEY_IR "b27a8c9cc39d02c5fdb8a57c3d71667681e589cce68da530a61d36decac95a3c"
#define VECTOR_PSK_KEY_RI "d15515ff8393c2a7859de7b97f1a50aa71ae9bebb8687dc25dc316f0534467c8"
#define VECTOR_COOKIE "2b3ddb150bea50cd507fb0608b089fd3"
#define VECTOR_COOKIE_KEY_SR "938c1de9d5d2d5d98c6e1c5723aedb083f0a17bad4a87a535f0f385f0003ed8b"
#define VECTOR_MAC1 "77e48885e90d1dbd5067c093b4eff5d5"
#define VECTOR_MAC2 "e01f494fc7f08a201e8673e95ed3e35f"
#define VECTOR_COOKIE_REPLY                                                                        \
  "0300000044332211000102030405060708090a0b0c0d0e0f1011121314151617d8f528d7"                       \
  "bd2e22fb50a4da9752698449141431c7efbbe22d3340c9d12309cc44"
