// The matrix instruction of one warp, and how its operands come from shared memory.

// c [16, 8] += a [16, 16] b [16, 8].
__device__ __forceinline__ void multiplyAdd(float *c, const u32 *a, u32 b0, u32 b1) {
#ifdef CPU_CARD
  struct Operands {
    u32 a[4], b[2];
  };
  card::together(Operands{{a[0], a[1], a[2], a[3]}, {b0, b1}}, [&](auto read, int lane) {
    const int g = lane / 4, t = lane % 4;
    for (int quarter = 0; quarter < 4; quarter++) {
      const Operands row = read(4 * g + quarter), columns[2] = {read(8 * t + quarter), read(8 * t + 4 + quarter)};
      for (int i = 0; i < 4; i++)
        for (int half = 0; half < 2; half++) {
          const u32 w = row.a[i / 2 + 2 * half], v = columns[i % 2].b[half];
          c[i] += value(f16{(u16)w}) * value(f16{(u16)v}) + value(f16{(u16)(w >> 16)}) * value(f16{(u16)(v >> 16)});
        }
    }
    return 0;
  });
#else
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#endif
}

// A lane's words of 64 bytes of each of eight rows, which are `rowBytes` apart: word lane % 4 of each 16 bytes of row lane / 4. Of rows of b's columns that is b for inputs along them.
__device__ __forceinline__ void readAlong(u32 *words, const u8 *rows, int rowBytes) {
  const int lane = threadIdx.x & 31;
#ifdef CPU_CARD
  for (int i = 0; i < 4; i++) words[i] = *(const u32 *)(rows + lane / 4 * rowBytes + 16 * i + lane % 4 * 4);
#else
  const u32 own = (u32)__cvta_generic_to_shared(rows + lane % 8 * rowBytes + lane / 8 * 16);
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3]) : "r"(own));
#endif
}
// Of 32 bytes of each of sixteen rows, twice eight f16, those of column lane / 4: rows 2 (lane % 4) and the next, the same of the last eight rows, and both of the second eight f16. Of rows of b that is
// b for inputs from row to row.
__device__ __forceinline__ void readAcross(u32 *words, const u8 *rows, int rowBytes) {
  const int lane = threadIdx.x & 31;
#ifdef CPU_CARD
  for (int i = 0; i < 4; i++) {
    const u8 *at = rows + (2 * (lane % 4) + i % 2 * 8) * rowBytes + i / 2 * 16 + lane / 4 * 2;
    words[i] = *(const u16 *)at | (u32) * (const u16 *)(at + rowBytes) << 16;
  }
#else
  const u32 own = (u32)__cvta_generic_to_shared(rows + lane % 16 * rowBytes + lane / 16 * 16);
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3]) : "r"(own));
#endif
}
