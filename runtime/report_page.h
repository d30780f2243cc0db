/* The page of report/, embedded in the program by report/embed.cmake: what stands before a report's data and after. */
#ifndef RT_REPORT_PAGE_H
#define RT_REPORT_PAGE_H

#include <stddef.h>

extern const unsigned char rt_report_before[], rt_report_after[];
extern const size_t rt_report_before_size, rt_report_after_size;

#endif
