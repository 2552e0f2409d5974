/* The one function of bcryptprimitives.dll that Rust's standard library calls, by the one that Wine 8 has. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length); /* RtlGenRandom */

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length) {
    const SIZE_T most = 0x10000000;
    while (length > 0) {
        ULONG some = (ULONG)(length > most ? most : length);
        if (!SystemFunction036(data, some)) return FALSE;
        data += some;
        length -= some;
    }
    return TRUE;
}
