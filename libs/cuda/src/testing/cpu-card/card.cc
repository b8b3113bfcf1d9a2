// A stand-in for NVIDIA's driver and NVRTC on a machine without a card: the same functions, computed by the CPU at once. Kernels are compiled by g++
// (block.hpp). Memory that was never written reads as NaN; what is recorded in a stream runs when its graph is launched.
#include <dlfcn.h>
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

namespace {
enum { OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_DEVICE = 101, NOT_FOUND = 500, NOT_SUPPORTED = 801 };
constexpr uint64_t CARD_BYTES = 1ull << 32;
constexpr size_t ALIGNMENT = 256;
using Work = std::vector<std::function<void()>>;
struct Stream { Work *recording = nullptr; };
struct Event { timespec at; };
using Run = void (*)(std::function<void()> *, const unsigned *, const unsigned *);
struct Kernel { std::function<void()> *(*bind)(void **); Run run; };
struct Program { std::string source, log, code; };
std::map<uint64_t, size_t> allocated;
uint64_t used = 0;

int enqueue(void *stream, std::function<void()> work) {
  auto *s = static_cast<Stream *>(stream);
  if (s != nullptr && s->recording != nullptr) s->recording->push_back(std::move(work));
  else work();
  return OK;
}
// Whether all of [address, address + count) is one allocation's.
bool inside(uint64_t address, size_t count) {
  auto next = allocated.upper_bound(address);
  if (next == allocated.begin()) return false;
  --next;
  return address + count <= next->first + next->second;
}
int copy(void *to, const void *from, size_t count, void *stream) {
  return enqueue(stream, [=] { memmove(to, from, count); });
}
std::string folder() {
  std::string pattern = std::string(getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp") + "/cpu-card-XXXXXX";
  return mkdtemp(pattern.data());
}
std::string slurp(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream all;
  all << file.rdbuf();
  return all.str();
}
}  // namespace

extern "C" {
int cuInit(unsigned) { return OK; }
int cuDriverGetVersion(int *out) { *out = 13000; return OK; }
int cuDeviceCanAccessPeer(int *out, int, int) { *out = 0; return OK; }
int cuGetErrorName(int code, const char **out) { *out = code == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR"; return OK; }
int cuGetErrorString(int code, const char **out) { *out = code == OUT_OF_MEMORY ? "out of memory" : "said by the stand-in"; return OK; }
int cuDeviceGetCount(int *out) { *out = 1; return OK; }
int cuDeviceGet(int *out, int ordinal) { *out = ordinal; return ordinal == 0 ? OK : INVALID_DEVICE; }
int cuDeviceGetName(char *out, int size, int) { snprintf(out, (size_t)size, "a CPU in a card's place"); return OK; }
// Each process is a card of its own where rows may go from one to the other.
int cuDeviceGetUuid_v2(void *out, int) {
  const pid_t own = getenv("CPU_CARD_REGISTERS") ? getpid() : 0;
  memset(out, 0, 16); memcpy(out, &own, sizeof own);
  return OK;
}
int cuDeviceTotalMem_v2(size_t *out, int) { *out = CARD_BYTES; return OK; }
int cuDeviceGetAttribute(int *out, int attribute, int) { *out = attribute == 16 ? 4 : attribute == 75 ? 9 : 0; return OK; }
int cuDevicePrimaryCtxRetain(void **out, int) { *out = (void *)1; return OK; }
int cuDevicePrimaryCtxRelease_v2(int) { return OK; }
int cuCtxSetCurrent(void *) { return OK; }
int cuMemGetInfo_v2(size_t *free, size_t *total) { *free = CARD_BYTES - used; *total = CARD_BYTES; return OK; }
int cuMemAlloc_v2(uint64_t *out, size_t count) {
  if (used + count > CARD_BYTES) return OUT_OF_MEMORY;
  void *made = aligned_alloc(ALIGNMENT, (count + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
  memset(made, 0xff, count);
  *out = (uint64_t)made; allocated[*out] = count; used += count;
  return OK;
}
int cuMemFree_v2(uint64_t address) {
  auto found = allocated.find(address);
  if (found == allocated.end()) return INVALID_VALUE;
  used -= found->second; allocated.erase(found); free((void *)address);
  return OK;
}
int cuMemHostAlloc(void **out, size_t count, unsigned) { *out = aligned_alloc(ALIGNMENT, (count + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT); return OK; }
int cuMemFreeHost(void *p) { free(p); return OK; }
// Work here is done when it is enqueued: a process whose card waits for another one's would hold its own thread. So it can only be had where it was asked for, by tests that know.
int cuMemHostRegister_v2(uint64_t, size_t, unsigned) { return getenv("CPU_CARD_REGISTERS") ? OK : NOT_SUPPORTED; }
int cuMemHostUnregister(uint64_t) { return OK; }
int cuMemHostGetDevicePointer_v2(uint64_t *out, uint64_t address, unsigned) { *out = address; return OK; }
int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t count) { return inside(to, count) ? copy((void *)to, from, count, nullptr) : INVALID_VALUE; }
int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t count) { return inside(from, count) ? copy(to, (void *)from, count, nullptr) : INVALID_VALUE; }
int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t count, void *s) { return inside(to, count) ? copy((void *)to, from, count, s) : INVALID_VALUE; }
int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t count, void *s) { return inside(from, count) ? copy(to, (void *)from, count, s) : INVALID_VALUE; }
int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t count, void *s) { return inside(to, count) && inside(from, count) ? copy((void *)to, (void *)from, count, s) : INVALID_VALUE; }
int cuMemsetD8Async(uint64_t to, unsigned char value, size_t count, void *s) {
  if (!inside(to, count)) return INVALID_VALUE;
  return enqueue(s, [=] { memset((void *)to, value, count); });
}
int cuStreamCreateWithPriority(void **out, unsigned, int) { *out = new Stream; return OK; }
int cuStreamDestroy_v2(void *s) { delete static_cast<Stream *>(s); return OK; }
int cuStreamSynchronize(void *) { return OK; }
int cuStreamBeginCapture_v2(void *s, int) { static_cast<Stream *>(s)->recording = new Work; return OK; }
int cuStreamEndCapture(void *s, void **out) { *out = static_cast<Stream *>(s)->recording; static_cast<Stream *>(s)->recording = nullptr; return OK; }
int cuEventCreate(void **out, unsigned) { *out = new Event{}; return OK; }
int cuEventDestroy_v2(void *e) { delete static_cast<Event *>(e); return OK; }
int cuEventRecord(void *e, void *s) { return enqueue(s, [e] { clock_gettime(CLOCK_MONOTONIC, &static_cast<Event *>(e)->at); }); }
int cuEventQuery(void *) { return OK; }
int cuEventElapsedTime(float *out, void *from, void *to) {
  const timespec &a = static_cast<Event *>(from)->at, &b = static_cast<Event *>(to)->at;
  *out = (float)((b.tv_sec - a.tv_sec) * 1e3 + (b.tv_nsec - a.tv_nsec) * 1e-6);
  return OK;
}
int cuGraphInstantiateWithFlags(void **out, void *graph, uint64_t) { *out = new Work(*static_cast<Work *>(graph)); return OK; }
int cuGraphDestroy(void *graph) { delete static_cast<Work *>(graph); return OK; }
int cuGraphLaunch(void *graph, void *s) {
  auto *work = static_cast<Work *>(graph);
  return enqueue(s, [work] { for (auto &each : *work) each(); });
}
int cuGraphExecDestroy(void *graph) { delete static_cast<Work *>(graph); return OK; }
int cuModuleLoadData(void **out, const void *code) {
  // The length of a shared object: its section headers are its end.
  auto *elf = static_cast<const Elf64_Ehdr *>(code);
  const size_t count = elf->e_shoff + (size_t)elf->e_shentsize * elf->e_shnum;
  const std::string where = folder(), path = where + "/kernel.so";
  std::ofstream(path, std::ios::binary).write(static_cast<const char *>(code), (std::streamsize)count);
  *out = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (*out == nullptr) fprintf(stderr, "cpu-card: %s\n", dlerror());
  unlink(path.c_str()); rmdir(where.c_str());
  return *out == nullptr ? INVALID_VALUE : OK;
}
int cuModuleUnload(void *) { return OK; }
int cuModuleGetFunction(void **out, void *module, const char *name) {
  void *bind = dlsym(module, (std::string(name) + "__bind").c_str());
  if (bind == nullptr) return NOT_FOUND;
  *out = new Kernel{reinterpret_cast<std::function<void()> *(*)(void **)>(bind), reinterpret_cast<Run>(dlsym(module, "card_run"))};
  return OK;
}
int cuFuncSetAttribute(void *, int, int bytes) { return bytes <= 227 * 1024 ? OK : INVALID_VALUE; }
struct LaunchConfig { unsigned gx, gy, gz, bx, by, bz, shared; void *stream; void *attributes; unsigned attributeCount; };
int cuLaunchKernelEx(const LaunchConfig *config, void *kernel, void **values, void **) {
  const auto [gx, gy, gz, bx, by, bz, shared, s, attributes, attributeCount] = *config;
  auto *k = static_cast<Kernel *>(kernel);
  if (gx * gy * gz == 0 || bx * by * bz == 0 || bx * by * bz > 1024 || gy > 65535 || gz > 65535 || shared > 227 * 1024) return INVALID_VALUE;
  std::shared_ptr<std::function<void()>> bound(k->bind(values));
  return enqueue(s, [=, grid = std::vector<unsigned>{gx, gy, gz}, block = std::vector<unsigned>{bx, by, bz}] {
    k->run(bound.get(), grid.data(), block.data());
  });
}

int nvrtcVersion(int *major, int *minor) { *major = 0; *minor = 1; return OK; }
int nvrtcCreateProgram(void **out, const char *source, const char *, int, void *, void *) { *out = new Program{source, "", ""}; return OK; }
int nvrtcDestroyProgram(void **program) { delete static_cast<Program *>(*program); return OK; }
int nvrtcCompileProgram(void *program, int count, const char **options) {
  auto *p = static_cast<Program *>(program);
  const std::string where = folder(), path = where + "/kernel";
  std::string source = p->source, command = "g++ -std=c++17 -O1 -w -fPIC -shared -include " CARD_FOLDER "/block.hpp";
  // Each kernel gets a function that binds its arguments.
  const std::regex name("extern \"C\" __global__ void (?:__launch_bounds__\\([^)]*\\) )?(\\w+)\\(");
  for (std::sregex_iterator found(p->source.begin(), p->source.end(), name), end; found != end; ++found)
    source += "\nextern \"C\" void *" + (*found)[1].str() + "__bind(void **values) { return card::bound(" + (*found)[1].str() + ", values); }\n";
  std::ofstream(path + ".cc") << source;
  for (int i = 0; i < count; i++) if (strncmp(options[i], "-D", 2) == 0) command += std::string(" '") + options[i] + "'";
  const int result = system((command + " -o " + path + ".so " + path + ".cc 2> " + path + ".log").c_str());
  p->log = slurp(path + ".log"); p->code = slurp(path + ".so");
  for (const char *end : {".cc", ".so", ".log"}) unlink((path + end).c_str());
  rmdir(where.c_str());
  return result == 0 ? OK : 6;
}
int nvrtcGetProgramLogSize(void *program, size_t *out) { *out = static_cast<Program *>(program)->log.size() + 1; return OK; }
int nvrtcGetProgramLog(void *program, char *out) { strcpy(out, static_cast<Program *>(program)->log.c_str()); return OK; }
int nvrtcGetCUBINSize(void *program, size_t *out) { *out = static_cast<Program *>(program)->code.size(); return OK; }
int nvrtcGetCUBIN(void *program, char *out) { auto *p = static_cast<Program *>(program); memcpy(out, p->code.data(), p->code.size()); return OK; }
}
